"""A member supports a suggestion once, while it is open or planned; its author may, too.

A vote is its own stream, so that a suggestion with a million votes stays small.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.feedback.events import SuggestionVoted, SuggestionVoteWithdrawn
from services.feedback.suggestions.domain import SUGGESTION, Actor, Suggestion, undeleted
from shared.events.decider import Decider
from shared.events.errors import Conflict
from shared.events.fact import Fact
from shared.events.identity import derived_id

VoteEvent = SuggestionVoted | SuggestionVoteWithdrawn


@dataclass(frozen=True, slots=True)
class Vote:
    """`given_at` is when the vote that stands was given, `given_before` the last that was taken back; `latest` is the
    latest time of either.
    """

    given_at: datetime | None
    given_before: datetime | None
    latest: datetime


def evolve(state: Vote | None, fact: Fact[VoteEvent]) -> Vote:
    latest = max(state.latest, fact.at) if state else fact.at
    match fact.event:
        case SuggestionVoted():
            return Vote(fact.at, state.given_before if state else None, latest)
        case SuggestionVoteWithdrawn(voted_at=at):
            return Vote(None, at, latest)
        case _:
            assert_never(fact.event)


VOTE: Decider[Vote, VoteEvent] = Decider("vote", evolve)


def vote_id(suggestion_id: UUID, voter_id: UUID) -> UUID:
    """The stream of a member's vote on a suggestion."""
    return derived_id("vote", suggestion_id, voter_id)


def cast(state: Vote | None) -> bool:
    """Whether it stands."""
    return state is not None and state.given_at is not None


def vote(state: Vote | None, suggestion: Suggestion | None, voter_id: UUID) -> list[VoteEvent]:
    """Support a suggestion."""
    suggestion = SUGGESTION.existing(suggestion)
    if cast(state):
        return []
    undeleted(suggestion)
    _unsettled(suggestion)
    return [SuggestionVoted(suggestion.id, suggestion.author_id, voter_id, state.given_before if state else None)]


def withdraw(state: Vote | None, suggestion: Suggestion | None, by: Actor) -> list[VoteEvent]:
    """Take the vote back, also from a suggestion that was deleted since.

    A suggestion of somebody else's that one may not read and never voted for is not there.
    """
    suggestion = SUGGESTION.existing(suggestion)
    SUGGESTION.existing(suggestion if by.reads or state or by.id == suggestion.author_id else None)
    if state is None or state.given_at is None:
        return []
    if not suggestion.deleted:
        _unsettled(suggestion)
    return [SuggestionVoteWithdrawn(suggestion.id, suggestion.author_id, by.id, state.given_at)]


def _unsettled(suggestion: Suggestion) -> None:
    if suggestion.closed:
        raise Conflict(f"The suggestion is {suggestion.state}; votes on it are settled.")
