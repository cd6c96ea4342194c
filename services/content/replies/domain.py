"""A reply is posted to a thread, edited, and deleted for good; it is a stream of its own, so threads stay small."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.content.authorship import Actor, Revision, must_be_allowed, revised
from services.content.events import ReplyDeleted, ReplyEdited, ReplyPosted
from shared.events.decider import Decider, begun
from shared.events.errors import Conflict
from shared.events.event import Text
from shared.events.fact import Fact

ReplyEvent = ReplyPosted | ReplyEdited | ReplyDeleted


@dataclass(frozen=True, slots=True)
class Reply:
    """`edited_at` is when its words were edited last, also before it was brought in; `edits` counts those since."""

    id: UUID
    thread_id: UUID
    author_id: UUID | None
    text: Text | None
    posted_at: datetime
    imported_by: UUID | None
    edited_at: datetime | None
    edited_by: UUID | None = None
    edits: int = 0
    deleted_at: datetime | None = None

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def text_ref(self) -> UUID | None:
        """The reference to its words, where they are shown."""
        return None if self.deleted or self.text is None else self.text.ref


def evolve(state: Reply | None, fact: Fact[ReplyEvent]) -> Reply:
    match fact.event:
        case ReplyPosted(id_, thread, _, author, text, edited_at):
            return Reply(id_, thread, author, text, fact.at, fact.imported_by, edited_at)
        case ReplyEdited(text=text):
            state = begun(state)
            return replace(state, text=text, edited_at=fact.at, edited_by=fact.by, edits=state.edits + 1)
        case ReplyDeleted():
            return replace(begun(state), deleted_at=fact.at)
        case _:
            assert_never(fact.event)


REPLY: Decider[Reply, ReplyEvent] = Decider("reply", evolve, lambda reply: () if reply.deleted else (reply.text,))


def edit(state: Reply, by: Actor, revision: Revision | None) -> list[ReplyEvent]:
    """Put new words in the place of the old; None leaves them."""
    must_be_allowed(by, state.author_id, "reply")
    if state.deleted:
        raise Conflict("The reply was deleted.")
    text = revised(state.text, revision)
    if text == state.text:
        return []
    return [ReplyEdited(state.id, state.thread_id, state.author_id, text)]


def delete(state: Reply, by: Actor) -> list[ReplyEvent]:
    """Take it away."""
    must_be_allowed(by, state.author_id, "reply")
    return [] if state.deleted else [ReplyDeleted(state.id, state.thread_id, state.author_id)]
