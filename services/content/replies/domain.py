"""A reply is posted to a thread, edited, and deleted for good; it is a stream of its own, so threads stay small."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.content.authorship import Actor, Revision, must_be_allowed, revised
from services.content.channels.domain import Channel
from services.content.events import ReplyDeleted, ReplyEdited, ReplyPosted
from services.content.threads.domain import Thread, writable_thread
from shared.events.decider import Decider
from shared.events.errors import Conflict, KeyReused, NotFound
from shared.events.event import Text

ReplyEvent = ReplyPosted | ReplyEdited | ReplyDeleted


@dataclass(frozen=True, slots=True)
class Reply:
    """`posted` is how it was posted; None before that."""

    posted: ReplyPosted | None = None
    text: Text | None = None
    deleted: bool = False


def evolve(state: Reply, event: ReplyEvent) -> Reply:
    match event:
        case ReplyPosted(text=text):
            return Reply(event, text)
        case ReplyEdited(text=text):
            return replace(state, text=text)
        case ReplyDeleted():
            return replace(state, deleted=True)
        case _:
            assert_never(event)


REPLY: Decider[Reply, ReplyEvent] = Decider(
    "reply", Reply(), evolve, lambda reply: () if reply.deleted else (reply.text,)
)


def post(
    state: Reply,
    reply_id: UUID,
    thread: Thread,
    channel: Channel,
    by: Actor,
    text: Text | None,
    edited_at: datetime | None = None,
) -> list[ReplyEvent]:
    """Reply to a thread that stands, in a channel that is not archived; every member may.

    `edited_at` as in the event.
    """
    if state.posted is not None:
        to = thread.opened
        if to is not None and state.posted == ReplyPosted(reply_id, to.thread_id, to.author_id, by.id, text):
            return []
        raise KeyReused("reply")
    to = writable_thread(thread, channel)
    return [ReplyPosted(reply_id, to.thread_id, to.author_id, by.id, text, edited_at)]


def edit(state: Reply, by: Actor, revision: Revision | None) -> list[ReplyEvent]:
    """Put new words in the place of the old; None leaves them."""
    posted = existing(state)
    must_be_allowed(by, posted.author_id, "reply")
    if state.deleted:
        raise Conflict("The reply was deleted.")
    text = revised(state.text, revision)
    if text == state.text:
        return []
    return [ReplyEdited(posted.reply_id, posted.thread_id, posted.author_id, text)]


def delete(state: Reply, by: Actor) -> list[ReplyEvent]:
    """Take it away."""
    posted = existing(state)
    must_be_allowed(by, posted.author_id, "reply")
    if state.deleted:
        return []
    return [ReplyDeleted(posted.reply_id, posted.thread_id, posted.author_id)]


def existing(state: Reply) -> ReplyPosted:
    """How the reply was posted. Raises `NotFound` where there is none."""
    if state.posted is None:
        raise NotFound("There is no such reply.")
    return state.posted
