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
from shared.events.decider import Decider, begun
from shared.events.errors import Conflict, Forbidden
from shared.events.event import Text
from shared.events.fact import Fact

ThreadEvent = ThreadOpened | ThreadEdited | ThreadDeleted | AnswerAccepted | AcceptanceWithdrawn


@dataclass(frozen=True, slots=True)
class Thread:
    """`edited_at` is when its words were edited last, also before it was brought in; `edits` counts those since.

    `accepted` is what stands, `given_at` when an answer was accepted last and `withdrawn` what was withdrawn last;
    `settled` is the last fact of either kind. `ever_accepted` are the replies that were, whatever became of it,
    `taken_back` when each reply was accepted last by whom, of those acceptances that were withdrawn.
    """

    id: UUID
    channel_id: UUID
    author_id: UUID | None
    text: Text | None
    tags: tuple[str, ...]
    opened_at: datetime
    imported_by: UUID | None
    edited_at: datetime | None
    edited_by: UUID | None = None
    edits: int = 0
    deleted_at: datetime | None = None
    accepted: AnswerAccepted | None = None
    given_at: datetime | None = None
    withdrawn: AcceptanceWithdrawn | None = None
    settled: Fact[ThreadEvent] | None = None
    ever_accepted: frozenset[UUID] = frozenset()
    taken_back: Mapping[tuple[UUID, UUID], datetime] = field(default_factory=dict)

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def text_ref(self) -> UUID | None:
        """The reference to its words, where they are shown."""
        return None if self.deleted or self.text is None else self.text.ref

    @property
    def accepted_reply_id(self) -> UUID | None:
        return self.accepted.reply_id if self.accepted else None


def evolve(state: Thread | None, fact: Fact[ThreadEvent]) -> Thread:
    match fact.event:
        case ThreadOpened(id_, channel, author, text, tags, edited_at):
            return Thread(id_, channel, author, text, tags, fact.at, fact.imported_by, edited_at)
        case ThreadEdited(text=text, tags=tags):
            state = begun(state)
            edits = state.edits + 1
            return replace(state, text=text, tags=tags, edited_at=fact.at, edited_by=fact.by, edits=edits)
        case ThreadDeleted():
            return replace(begun(state), deleted_at=fact.at)
        case AnswerAccepted(reply_id=reply) as accepted:
            state = begun(state)
            ever = state.ever_accepted | {reply}
            return replace(state, accepted=accepted, given_at=fact.at, settled=fact, ever_accepted=ever)
        case AcceptanceWithdrawn(reply_id=reply, accepted_by_id=by, accepted_at=at) as withdrawn:
            state = begun(state)
            taken_back = state.taken_back if by is None else {**state.taken_back, (reply, by): at}
            return replace(state, accepted=None, withdrawn=withdrawn, settled=fact, taken_back=taken_back)
        case _:
            assert_never(fact.event)


THREAD: Decider[Thread, ThreadEvent] = Decider(
    "thread", evolve, lambda thread: () if thread.deleted else (thread.text,)
)


def takes_threads(channel: Channel | None, by: Actor) -> None:
    """Raises what forbids to open a thread in a channel, which may leave that to moderators."""
    if writable(channel).posting == "moderators" and not by.moderates:
        raise Forbidden("In this channel moderators open the threads. You may reply to theirs.")


def edit(state: Thread, by: Actor, revision: Revision | None, tags: tuple[str, ...] | None) -> list[ThreadEvent]:
    """Change words, tags or both; None leaves them as they are."""
    must_be_allowed(by, state.author_id, "thread")
    _not_deleted(state)
    text, tags = revised(state.text, revision), state.tags if tags is None else tags
    if (text, tags) == (state.text, state.tags):
        return []
    return [ThreadEdited(state.id, state.channel_id, state.author_id, text, tags, state.tags)]


def delete(state: Thread, by: Actor) -> list[ThreadEvent]:
    """Take it away; its replies stay where they are and nobody is led to them any more."""
    must_be_allowed(by, state.author_id, "thread")
    if state.deleted:
        return []
    return [ThreadDeleted(state.id, state.channel_id, state.author_id, state.tags)]


def takes_replies(state: Thread | None, channel: Channel | None) -> None:
    """Raises what forbids to reply to a thread or to comment on it: it or its channel takes nothing new."""
    _not_deleted(THREAD.existing(state))
    writable(channel)


def _not_deleted(state: Thread) -> None:
    if state.deleted:
        raise Conflict("The thread was deleted.")
