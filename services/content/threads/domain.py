"""A thread is opened in a channel, edited, and deleted for good; it knows which of its replies is the accepted answer.

The words of a deleted thread are shown to nobody, and forgotten like those that an edit replaced.
Accepting is decided in `acceptance/domain.py`, on this stream, since a thread has one accepted answer at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.content.authorship import Actor, Revision, must_be_allowed, revised
from services.content.channels.domain import Channel, writable
from services.content.events import AcceptanceWithdrawn, AnswerAccepted, ThreadDeleted, ThreadEdited, ThreadOpened
from shared.events.decider import Decider
from shared.events.errors import Conflict, Forbidden, KeyReused, NotFound
from shared.events.event import Text

ThreadEvent = ThreadOpened | ThreadEdited | ThreadDeleted | AnswerAccepted | AcceptanceWithdrawn


@dataclass(frozen=True, slots=True)
class Thread:
    """`opened` is how it was opened, None before that; `acceptances` counts those given, withdrawn ones included.

    `ever_accepted` are the replies that were, whatever became of it.
    `withdrawn` is the one that was withdrawn last, `taken_back` when each reply was accepted last by whom, of those
    acceptances that were withdrawn.
    """

    opened: ThreadOpened | None = None
    text: Text | None = None
    tags: tuple[str, ...] = ()
    deleted: bool = False
    accepted: AnswerAccepted | None = None
    acceptances: int = 0
    ever_accepted: frozenset[UUID] = frozenset()
    withdrawn: AcceptanceWithdrawn | None = None
    taken_back: Mapping[tuple[UUID, UUID], datetime] = field(default_factory=dict)


def evolve(state: Thread, event: ThreadEvent) -> Thread:
    match event:
        case ThreadOpened(text=text, tags=tags):
            return Thread(event, text, tags)
        case ThreadEdited(text=text, tags=tags):
            return replace(state, text=text, tags=tags)
        case ThreadDeleted():
            return replace(state, deleted=True)
        case AnswerAccepted(reply_id=reply):
            ever = state.ever_accepted | {reply}
            return replace(state, accepted=event, acceptances=state.acceptances + 1, ever_accepted=ever)
        case AcceptanceWithdrawn(reply_id=reply, accepted_by_id=by, accepted_at=at):
            taken_back = state.taken_back if by is None else {**state.taken_back, (reply, by): at}
            return replace(state, accepted=None, withdrawn=event, taken_back=taken_back)
        case _:
            assert_never(event)


THREAD: Decider[Thread, ThreadEvent] = Decider(
    "thread", Thread(), evolve, lambda thread: () if thread.deleted else (thread.text,)
)


def open_thread(
    state: Thread,
    thread_id: UUID,
    channel: Channel,
    by: Actor,
    text: Text | None,
    tags: tuple[str, ...],
    edited_at: datetime | None = None,
) -> list[ThreadEvent]:
    """Open a thread in a channel, which may leave that to moderators; `edited_at` as in the event."""
    where = channel.opened
    if state.opened is not None:
        if where is not None and state.opened == ThreadOpened(thread_id, where.channel_id, by.id, text, tags):
            return []
        raise KeyReused("thread")
    where = writable(channel)
    if where.posting == "moderators" and not by.moderates:
        raise Forbidden("In this channel moderators open the threads. You may reply to theirs.")
    return [ThreadOpened(thread_id, where.channel_id, by.id, text, tags, edited_at)]


def edit(state: Thread, by: Actor, revision: Revision | None, tags: tuple[str, ...] | None) -> list[ThreadEvent]:
    """Change words, tags or both; None leaves them as they are."""
    opened = existing(state)
    must_be_allowed(by, opened.author_id, "thread")
    _not_deleted(state)
    text, tags = revised(state.text, revision), state.tags if tags is None else tags
    if (text, tags) == (state.text, state.tags):
        return []
    return [ThreadEdited(opened.thread_id, opened.channel_id, opened.author_id, text, tags, state.tags)]


def delete(state: Thread, by: Actor) -> list[ThreadEvent]:
    """Take it away; its replies stay where they are and nobody is led to them any more."""
    opened = existing(state)
    must_be_allowed(by, opened.author_id, "thread")
    if state.deleted:
        return []
    return [ThreadDeleted(opened.thread_id, opened.channel_id, opened.author_id, state.tags)]


def existing(state: Thread) -> ThreadOpened:
    """How the thread was opened. Raises `NotFound` where there is none."""
    if state.opened is None:
        raise NotFound("There is no such thread.")
    return state.opened


def writable_thread(state: Thread, channel: Channel) -> ThreadOpened:
    """As `existing`; raises `Conflict` where the thread or its channel takes nothing new."""
    opened = existing(state)
    _not_deleted(state)
    writable(channel)
    return opened


def _not_deleted(state: Thread) -> None:
    if state.deleted:
        raise Conflict("The thread was deleted.")
