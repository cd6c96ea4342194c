"""A suggestion is open, then planned, then completed or declined; an answer to it stands beside that.

open ──▶ planned ──▶ completed
  └────────┴───────▶ declined        (completed from open, too: some things are quickly done)

Its author or a moderator deletes it in any state, for good. An anonymous one has no author who could.
"""

from __future__ import annotations

from collections.abc import Iterable
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
from shared.events.decider import Decider
from shared.events.errors import Conflict, Forbidden, KeyReused, NotFound
from shared.events.event import Text

State = Literal["open", "planned", "completed", "declined"]

SuggestionEvent = (
    SuggestionSubmitted
    | SuggestionEdited
    | SuggestionAnswered
    | SuggestionPlanned
    | SuggestionCompleted
    | SuggestionDeclined
    | SuggestionDeleted
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`id` is None before it was submitted. `reason` belongs to the state it is in, `edited_at` to its first words."""

    id: UUID | None = None
    author_id: UUID | None = None
    anonymous: bool = False
    text: Text | None = None
    state: State = "open"
    reason: Text | None = None
    answer: Text | None = None
    edited_at: datetime | None = None
    deleted: bool = False

    @property
    def closed(self) -> bool:
        return self.state in ("completed", "declined")


def evolve(state: Suggestion, event: SuggestionEvent) -> Suggestion:
    match event:
        case SuggestionSubmitted(suggestion_id=id_, author_id=author_id, anonymous=anonymous, text=text):
            return Suggestion(id_, author_id, anonymous, text, edited_at=event.edited_at)
        case SuggestionEdited(text=text):
            return replace(state, text=text)
        case SuggestionAnswered(text=text):
            return replace(state, answer=text)
        case SuggestionPlanned(reason=reason):
            return replace(state, state="planned", reason=reason)
        case SuggestionCompleted(reason=reason):
            return replace(state, state="completed", reason=reason)
        case SuggestionDeclined(reason=reason):
            return replace(state, state="declined", reason=reason)
        case SuggestionDeleted():
            return replace(state, deleted=True)
        case _:
            assert_never(event)


def words(state: Suggestion) -> Iterable[Text | None]:
    """What stands in it. A reason goes with the state that it was given for."""
    return () if state.deleted else (state.text, state.reason, state.answer)


SUGGESTION: Decider[Suggestion, SuggestionEvent] = Decider("suggestion", Suggestion(), evolve, words)


def submit(
    state: Suggestion,
    suggestion_id: UUID,
    author_id: UUID | None,
    text: Text | None,
    *,
    anonymous: bool,
    edited_at: datetime | None = None,
) -> list[SuggestionEvent]:
    """Put a suggestion into the box; an anonymous one keeps nothing of its author. `author_id` None: nobody known.
    `edited_at` as in the event.
    """
    author = None if anonymous else author_id
    if state.id is None:
        return [SuggestionSubmitted(suggestion_id, author, anonymous, text, edited_at)]
    if (state.author_id, state.anonymous, state.text) == (author, anonymous, text):
        return []
    raise KeyReused("suggestion")


def edit(state: Suggestion, before: Text | None, text: Text) -> list[SuggestionEvent]:
    """Put other words in the place of `before`; where others stand meanwhile, or it was deleted, nothing happens."""
    suggestion_id = existing(state)
    if state.deleted or state.text != before:
        return []
    return [SuggestionEdited(suggestion_id, state.author_id, text)]


def answer(state: Suggestion, text: Text) -> list[SuggestionEvent]:
    """Answer it, or answer it anew, whatever its state."""
    suggestion_id = existing(state)
    if state.answer == text:
        return []
    undeleted(state)
    return [SuggestionAnswered(suggestion_id, state.author_id, text)]


def plan(state: Suggestion, reason: Text | None) -> list[SuggestionEvent]:
    """Promise to do it."""
    suggestion_id = existing(state)
    if _is(state, "planned", reason):
        return []
    undeleted(state)
    if state.state != "open":
        raise Conflict(f"Only an open suggestion can be planned; this one is {state.state}.")
    return [SuggestionPlanned(suggestion_id, state.author_id, reason)]


def complete(state: Suggestion, reason: Text | None) -> list[SuggestionEvent]:
    """It is done."""
    suggestion_id = existing(state)
    if _is(state, "completed", reason):
        return []
    _unsettled(state)
    return [SuggestionCompleted(suggestion_id, state.author_id, reason)]


def decline(state: Suggestion, reason: Text | None) -> list[SuggestionEvent]:
    """It will not be done."""
    suggestion_id = existing(state)
    if _is(state, "declined", reason):
        return []
    _unsettled(state)
    return [SuggestionDeclined(suggestion_id, state.author_id, reason)]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. What others wrote is not there for who does not read here, as one who has left a private community."""

    id: UUID
    moderates: bool = False
    reads: bool = True


def delete(state: Suggestion, by: Actor) -> list[SuggestionEvent]:
    """Take it away: by its author or a moderator."""
    suggestion_id = existing(state)
    if not by.moderates and by.id != state.author_id:
        if not by.reads:
            raise _missing()
        raise Forbidden("Only its author and moderators may do this.")
    return [] if state.deleted else [SuggestionDeleted(suggestion_id, state.author_id)]


def existing(state: Suggestion) -> UUID:
    """The id of a suggestion that was submitted. Raises `NotFound` where there is none."""
    if state.id is None:
        raise _missing()
    return state.id


def undeleted(state: Suggestion) -> UUID:
    """As `existing`; raises `Conflict` where it was deleted."""
    suggestion_id = existing(state)
    if state.deleted:
        raise Conflict("The suggestion was deleted.")
    return suggestion_id


def _missing() -> NotFound:
    return NotFound("There is no such suggestion.")


def _is(state: Suggestion, wanted: State, reason: Text | None) -> bool:
    return (state.state, state.reason) == (wanted, reason)


def _unsettled(state: Suggestion) -> None:
    undeleted(state)
    if state.closed:
        raise Conflict(f"The suggestion is {state.state} already.")
