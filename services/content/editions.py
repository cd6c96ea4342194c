"""The next edition of a dump: what is known and says something newer is edited; what it leaves open stays as it is.

Words that were erased, and what was deleted, are not brought back; an author stays who they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from services.content.channels.domain import CHANNEL, Channel, describe, rename
from services.content.channels.domain import existing as existing_channel
from services.content.comments import domain as comments
from services.content.comments.domain import COMMENT, Comment
from services.content.events import (
    ChannelDescribed,
    ChannelRenamed,
    CommentEdited,
    CommentPosted,
    ReplyEdited,
    ReplyPosted,
    ThreadEdited,
    ThreadOpened,
)
from services.content.replies import domain as replies
from services.content.replies.domain import REPLY, Reply
from services.content.tags import MOST, normal
from services.content.texts import Actor, Revision
from services.content.threads import domain as threads
from services.content.threads.domain import THREAD, Thread
from services.content.wording import Wording, read, words_under
from shared.backfill.command import LineContext
from shared.backfill.editions import earlier, newer, reference
from shared.backfill.ornaments import leave_out
from shared.commands import Outcome
from shared.event import Event
from shared.log.port import Secret

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
    opened, state = existing_channel(found.state), found.state
    stands_since = found.history.last_at(ChannelRenamed, ChannelDescribed) or opened.edited_at
    is_newer = stands_since is None or (edited_at is not None and edited_at > stands_since)
    if state.archived or not is_newer:
        return found
    wanted = state.purpose if purpose is None else purpose
    return await context.edit(
        CHANNEL,
        opened.channel_id,
        _while(state, lambda now: [*(rename(now, name) if name else ()), *describe(now, wanted)]),
        edited_at,
    )


async def edit_thread(
    context: LineContext,
    found: Outcome[Thread],
    wording: Wording,
    tags: tuple[str, ...] | None,
    edited_at: datetime | None,
) -> Outcome[Thread]:
    """Put the edition's words and tags in the place of those that stand, where it is newer."""
    state, opened = found.state, threads.existing(found.state)
    new_tags = None if tags is None or set(tags) == set(state.tags) else tags
    edition = await _edition(
        context, found, opened.thread_id, opened, ThreadEdited, wording, edited_at, besides=new_tags is not None
    )
    if edition is None:
        return found
    by, revision = _actor(context), edition.revision
    return await context.edit(
        THREAD,
        opened.thread_id,
        lambda now: threads.edit(now, by, revision, new_tags) if _same(now, state) and now.tags == state.tags else [],
        edited_at,
        secrets=edition.secrets,
    )


async def edit_reply(
    context: LineContext, found: Outcome[Reply], wording: Wording, edited_at: datetime | None
) -> Outcome[Reply]:
    """Put the edition's words in the place of those that stand, where it is newer."""
    state, posted = found.state, replies.existing(found.state)
    edition = await _edition(context, found, posted.reply_id, posted, ReplyEdited, wording, edited_at)
    if edition is None:
        return found
    by, revision = _actor(context), edition.revision
    return await context.edit(
        REPLY,
        posted.reply_id,
        lambda now: replies.edit(now, by, revision) if _same(now, state) else [],
        edited_at,
        secrets=edition.secrets,
    )


async def edit_comment(
    context: LineContext, found: Outcome[Comment], wording: Wording, edited_at: datetime | None
) -> Outcome[Comment]:
    """Put the edition's words in the place of those that stand, where it is newer."""
    state, posted = found.state, comments.existing(found.state)
    edition = await _edition(context, found, posted.comment_id, posted, CommentEdited, wording, edited_at)
    if edition is None:
        return found
    by, revision = _actor(context), edition.revision
    return await context.edit(
        COMMENT,
        posted.comment_id,
        lambda now: comments.edit(now, by, revision) if _same(now, state) else [],
        edited_at,
        secrets=edition.secrets,
    )


@dataclass(frozen=True, slots=True)
class _Edition:
    """New words for what stands; `revision` is None where there are none and were none."""

    revision: Revision | None
    secrets: tuple[Secret, ...]


async def _edition(
    context: LineContext,
    found: Outcome[Any],
    stream: UUID,
    began: ThreadOpened | ReplyPosted | CommentPosted,
    by: type[Event],
    wording: Wording,
    edited_at: datetime | None,
    *,
    besides: bool = False,
) -> _Edition | None:
    """The words to stand from now on; None where the edition is not newer, or is the same.

    `besides` is whether it differs in something else. Its words get a reference of their own even then, by which an
    edition without a time is told from an edit that was made here.
    """
    state = found.state
    if state.deleted or not newer(edited_at, stream, found, by, state.text, began.edited_at):
        return None
    current = [state.text.ref] if state.text else []
    before = earlier(edited_at, stream, found, by)
    kept = await read(context.vault, context.community.id, [*current, *before])
    if current and current[0] not in kept:
        return None  # erased
    stands = kept[current[0]] if current else Wording()
    wanted = Wording(wording.title or stands.title, wording.body or stands.body)
    if not besides if wanted == stands else wanted in [kept.get(ref) for ref in before]:
        return None
    ref = reference(edited_at, stream, found, by)
    new = words_under(ref, context.community.id, began.author_id, wanted)
    return _Edition(Revision(state.text, new.text) if new.text else None, new.secrets)


def _actor(context: LineContext) -> Actor:
    return Actor(context.member, moderates=True)


def _same(now: S, before: S) -> bool:
    """Whether nobody has edited or deleted it meanwhile: what was, is newer than this edition."""
    return (now.text, now.deleted) == (before.text, before.deleted)


def _while(before: Channel, decide: Callable[[Channel], list[E]]) -> Callable[[Channel], list[E]]:
    return lambda now: decide(now) if now == before else []
