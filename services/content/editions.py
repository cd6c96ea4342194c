"""The next edition of a dump: what is known and says something newer is edited; what it leaves open stays as it is.

What was edited here is not changed any more. Words that were erased, and what was deleted, are not brought back; an
author stays who they were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from services.content.acceptance.domain import accepted_here
from services.content.authorship import Actor, Revision
from services.content.bodies import BodyText, read, stood, words_under
from services.content.channels.domain import CHANNEL, Channel, describe, rename
from services.content.comments import domain as comments
from services.content.comments.domain import COMMENT, Comment
from services.content.events import ChannelRenamed, CommentEdited, ReplyEdited, ThreadEdited
from services.content.replies import domain as replies
from services.content.replies.domain import REPLY, Reply
from services.content.tags import MOST, normal
from services.content.threads import domain as threads
from services.content.threads.domain import THREAD, Thread
from shared.commands.decisions import Basis
from shared.commands.outcome import Outcome
from shared.events.decider import Decider
from shared.events.event import Event
from shared.web.backfill.command import LineContext
from shared.web.backfill.editions import earlier, newer, reference
from shared.web.backfill.optional_parts import leave_out

S = TypeVar("S", Thread, Reply, Comment)
E = TypeVar("E", bound=Event)


def fitting(given: Any, info: ValidationInfo) -> list[str] | None:
    """The tags that fit, as they are kept; the others are left out."""
    if not isinstance(given, list):
        if given is not None:
            leave_out(info, "Tags are a list of texts")
        return None
    kept: dict[str, None] = {}
    for number, tag in enumerate(given):
        try:
            word = normal(tag) if isinstance(tag, str) else None
        except PydanticCustomError as error:
            leave_out(info, error.message(), number)
            continue
        if word is None:
            leave_out(info, "A tag is a text", number)
        elif word not in kept and len(kept) == MOST:
            leave_out(info, f"A thread has at most {MOST} tags", number)
        else:
            kept[word] = None
    return list(kept)


async def edit_channel(
    context: LineContext, found: Outcome[Channel], name: str | None, purpose: str | None, edited_at: datetime | None
) -> Outcome[Channel]:
    """Rename and describe it anew, where the edition is newer; an archived one stays as it is."""
    state = found.state
    is_newer = state.edited_at is None or (edited_at is not None and edited_at > state.edited_at)
    if state.archived or not is_newer:
        return found
    if name not in (None, state.name) and context.stays(found, ChannelRenamed, part="/name"):
        name = None
    wanted = state.purpose if purpose is None else purpose
    return await context.edit(
        CHANNEL,
        state.id,
        _while(state, lambda now: [*(rename(now, name) if name else ()), *describe(now, wanted)]),
        edited_at,
        found.begun_by,
    )


async def edit_thread(
    context: LineContext,
    found: Outcome[Thread],
    body_text: BodyText,
    tags: tuple[str, ...] | None,
    edited_at: datetime | None,
) -> Outcome[Thread]:
    """Put the edition's words and tags in the place of those that stand, where it is newer."""
    before = found.state
    new_tags = None if tags is None or set(tags) == set(before.tags) else tags

    def edit(now: Thread, by: Actor, revision: Revision | None) -> list[threads.ThreadEvent]:
        return threads.edit(now, by, revision, new_tags) if now.tags == before.tags else []

    what = _Kind(THREAD, ThreadEdited, edit)
    return await _edit(context, found, what, body_text, edited_at, besides=new_tags is not None)


async def edit_reply(
    context: LineContext, found: Outcome[Reply], body_text: BodyText, edited_at: datetime | None
) -> Outcome[Reply]:
    """Put the edition's words in the place of those that stand, where it is newer, unless a member accepted these."""
    reply, thread = found.state.id, found.state.thread_id

    def edit(now: Reply, by: Actor, revision: Revision | None, under: Thread) -> list[replies.ReplyEvent]:
        return [] if accepted_here(under, reply) else replies.edit(now, by, revision)

    if accepted_here((await context.get(THREAD, thread)).state, reply):
        context.keep()
        return found
    return await _edit(context, found, _Kind(REPLY, ReplyEdited, edit), body_text, edited_at, on=[(THREAD, thread)])


async def edit_comment(
    context: LineContext, found: Outcome[Comment], body_text: BodyText, edited_at: datetime | None
) -> Outcome[Comment]:
    """Put the edition's words in the place of those that stand, where it is newer."""
    what = _Kind(COMMENT, CommentEdited, comments.edit)
    return await _edit(context, found, what, body_text, edited_at)


@dataclass(frozen=True, slots=True)
class _Kind(Generic[S, E]):
    """What is edited: the event of an edit and the decision that makes it."""

    decider: Decider[S, E]
    edited: type[Event]
    edit: Callable[..., list[E]]
    """Of the state, who edits, the revision, and the states that it rests on."""


async def _edit(
    context: LineContext,
    found: Outcome[S],
    what: _Kind[S, E],
    body_text: BodyText,
    edited_at: datetime | None,
    *,
    besides: bool = False,
    on: Sequence[Basis] = (),
) -> Outcome[S]:
    """Write the edition down, where it is newer and differs; nothing where somebody changes the same meanwhile.

    `besides` is whether it differs in something else than words. Its words get a reference of their own even then, by
    which an edition without a time is told from an edit that was made here.
    """
    state, at = found.state, context.community.id
    if state.deleted or not newer(edited_at, state):
        return found
    stands = (await read(context.vault, at, [state.text.ref])).get(state.text.ref) if state.text else BodyText()
    if stands is None:
        return found  # erased
    wanted = BodyText(body_text.title or stands.title, body_text.body or stands.body)
    if wanted == stands:
        if not besides:
            return found
    elif await stood(context.vault, at, earlier(edited_at, state), wanted):
        return found  # an older edition's
    if context.stays(found, what.edited):
        return found
    new = words_under(reference(edited_at, state), at, state.author_id, wanted)
    revision = Revision(state.text, new.text) if new.text else None
    actor = Actor(context.member, moderates=True)

    def edit(now: S, *bases: Any) -> list[E]:
        same = (now.text, now.deleted) == (state.text, state.deleted)  # else it was edited here, and that is newer
        return what.edit(now, actor, revision, *bases) if same else []

    return await context.edit(what.decider, state.id, edit, edited_at, found.begun_by, on=on, secrets=new.secrets)


def _while(before: Channel, decide: Callable[[Channel], list[E]]) -> Callable[[Channel], list[E]]:
    return lambda now: decide(now) if now == before else []
