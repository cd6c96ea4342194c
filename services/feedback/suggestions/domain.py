"""A suggestion is open, then planned, then completed or declined; an answer to it stands beside that.

open ──▶ planned ──▶ completed
  └────────┴───────▶ declined        (completed from open, too: some things are quickly done)

Its author or a moderator deletes it in any state, for good. An anonymous one has no author who could.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never
from uuid import UUID

from services.feedback.events import (
    SuggestionAnswered,
    SuggestionCompleted,
    SuggestionDeclined,
    SuggestionDeleted,
    SuggestionEdited,
    SuggestionPlanned,
    SuggestionSubmitted,
)
from shared.events.decider import Decider, begun
from shared.events.errors import Conflict, Forbidden
from shared.events.event import Text
from shared.events.fact import Fact

Decision = Literal["planned", "completed", "declined"]
State = Literal["open", Decision]

_Decided = SuggestionPlanned | SuggestionCompleted | SuggestionDeclined
SuggestionEvent = SuggestionSubmitted | SuggestionEdited | SuggestionAnswered | _Decided | SuggestionDeleted


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`reason` belongs to the state it is in. `edited_at` is when its words were edited last, also before it was
    brought in; `edits` counts those since.
    """

    id: UUID
    author_id: UUID | None
    anonymous: bool
    text: Text | None
    submitted_at: datetime
    state_since: datetime
    imported_by: UUID | None
    edited_at: datetime | None
    edited_by: UUID | None = None
    edits: int = 0
    state: State = "open"
    reason: Text | None = None
    answer: Text | None = None
    answered_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def closed(self) -> bool:
        return self.state in ("completed", "declined")


def evolve(state: Suggestion | None, fact: Fact[SuggestionEvent]) -> Suggestion:
    match fact.event:
        case SuggestionSubmitted(id_, author, anonymous, text, edited_at):
            return Suggestion(id_, author, anonymous, text, fact.at, fact.at, fact.imported_by, edited_at)
        case SuggestionEdited(text=text):
            state = begun(state)
            return replace(state, text=text, edited_at=fact.at, edited_by=fact.by, edits=state.edits + 1)
        case SuggestionAnswered(text=text):
            return replace(begun(state), answer=text, answered_at=fact.at)
        case SuggestionPlanned(reason=reason):
            return replace(begun(state), state="planned", state_since=fact.at, reason=reason)
        case SuggestionCompleted(reason=reason):
            return replace(begun(state), state="completed", state_since=fact.at, reason=reason)
        case SuggestionDeclined(reason=reason):
            return replace(begun(state), state="declined", state_since=fact.at, reason=reason)
        case SuggestionDeleted():
            return replace(begun(state), deleted_at=fact.at)
        case _:
            assert_never(fact.event)


def words(state: Suggestion) -> Sequence[Text | None]:
    """What stands in it. A reason goes with the state that it was given for."""
    return () if state.deleted else (state.text, state.reason, state.answer)


SUGGESTION: Decider[Suggestion, SuggestionEvent] = Decider("suggestion", evolve, words)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. What others wrote is not there for who does not read here, as one who has left a private community."""

    id: UUID
    moderates: bool = False
    reads: bool = True


def edit(state: Suggestion, before: Text | None, text: Text) -> list[SuggestionEvent]:
    """Put other words in the place of `before`; where others stand meanwhile, or it was deleted, nothing happens."""
    return [] if state.deleted or state.text != before else [SuggestionEdited(state.id, state.author_id, text)]


def answer(state: Suggestion, text: Text) -> list[SuggestionEvent]:
    """Answer it, or answer it anew, whatever its state."""
    if state.answer == text:
        return []
    undeleted(state)
    return [SuggestionAnswered(state.id, state.author_id, text)]


def decide(decision: Decision, state: Suggestion, reason: Text | None) -> list[SuggestionEvent]:
    """Promise to do it, say that it is done, or that it will not be."""
    if (state.state, state.reason) == (decision, reason):
        return []
    undeleted(state)
    if decision == "planned" and state.state != "open":
        raise Conflict(f"Only an open suggestion can be planned; this one is {state.state}.")
    if state.closed:
        raise Conflict(f"The suggestion is {state.state} already.")
    kinds: dict[str, type[_Decided]]
    kinds = {"planned": SuggestionPlanned, "completed": SuggestionCompleted, "declined": SuggestionDeclined}
    return [kinds[decision](state.id, state.author_id, reason)]


def delete(state: Suggestion, by: Actor) -> list[SuggestionEvent]:
    """Take it away: by its author or a moderator."""
    if not by.moderates and by.id != state.author_id:
        SUGGESTION.existing(state if by.reads else None)
        raise Forbidden("Only its author and moderators may do this.")
    return [] if state.deleted else [SuggestionDeleted(state.id, state.author_id)]


def undeleted(state: Suggestion) -> None:
    """Raises `Conflict` where it was deleted."""
    if state.deleted:
        raise Conflict("The suggestion was deleted.")
