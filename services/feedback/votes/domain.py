"""A member supports a suggestion once, while it is open or planned; its author may, too.

A vote is its own stream, so that a suggestion with a million votes stays small.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.feedback.events import SuggestionVoted, SuggestionVoteWithdrawn
from services.feedback.suggestions.domain import Actor, Suggestion, existing, undeleted
from shared.events.decider import Decider
from shared.events.errors import Conflict
from shared.events.history import Occurrence
from shared.events.identity import derived_id

VoteEvent = SuggestionVoted | SuggestionVoteWithdrawn


@dataclass(frozen=True, slots=True)
class Vote:
    """`times` counts how often it was given, withdrawn ones included; the last of these was given at `given_before`."""

    cast: bool = False
    times: int = 0
    given_before: datetime | None = None


def evolve(state: Vote, event: VoteEvent) -> Vote:
    match event:
        case SuggestionVoted():
            return replace(state, cast=True, times=state.times + 1)
        case SuggestionVoteWithdrawn(voted_at=at):
            return replace(state, cast=False, given_before=at)
        case _:
            assert_never(event)


VOTE: Decider[Vote, VoteEvent] = Decider("vote", Vote(), evolve)


def vote_id(suggestion_id: UUID, voter_id: UUID) -> UUID:
    """The stream of a member's vote on a suggestion."""
    return derived_id("vote", suggestion_id, voter_id)


def vote(state: Vote, suggestion: Suggestion, voter_id: UUID) -> list[VoteEvent]:
    """Support a suggestion."""
    suggestion_id = existing(suggestion)
    if state.cast:
        return []
    undeleted(suggestion)
    _unsettled(suggestion)
    return [SuggestionVoted(suggestion_id, suggestion.author_id, voter_id, state.given_before)]


def withdraw(state: Vote, suggestion: Suggestion, by: Actor, given: Occurrence | None) -> list[VoteEvent]:
    """Take back the vote that was `given`, also from a suggestion that was deleted since.

    A suggestion of somebody else's that one may not read and never voted for is not there.
    """
    known = by.reads or state.times or by.id == suggestion.author_id
    suggestion_id = existing(suggestion if known else Suggestion())
    if not state.cast:
        return []
    if not suggestion.deleted:
        _unsettled(suggestion)
    if given is None or given.number != state.times:
        raise Conflict("The vote was given again at the same moment. Try again.", retry_after=1)
    return [SuggestionVoteWithdrawn(suggestion_id, suggestion.author_id, by.id, given.at)]


def _unsettled(suggestion: Suggestion) -> None:
    if suggestion.closed:
        raise Conflict(f"The suggestion is {suggestion.state}; votes on it are settled.")
