"""Votes: one per member, while the suggestion is open or planned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from services.feedback.events import (
    SuggestionCompleted,
    SuggestionDeleted,
    SuggestionPlanned,
    SuggestionVoted,
    SuggestionVoteWithdrawn,
)
from services.feedback.suggestions.domain import SUGGESTION, Actor, Suggestion
from services.feedback.votes.domain import VOTE, Vote, vote, vote_id, withdraw
from shared.events.errors import Conflict, NotFound
from shared.events.history import Occurrence
from tests.feedback.samples import ALICE, BENCHES, BOB, HIDDEN, OPEN, SUBMITTED

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = Occurrence(1, NOON)
BY_BOB, BY_BOB_WHO_LEFT = Actor(BOB), Actor(BOB, reads=False)
VOTED = SuggestionVoted(BENCHES, ALICE, BOB)
WITHDRAWN = SuggestionVoteWithdrawn(BENCHES, ALICE, BOB, NOON)
PLANNED = SUGGESTION.fold([SUBMITTED, SuggestionPlanned(BENCHES, ALICE, None)])
DELETED = SUGGESTION.fold([SUBMITTED, SuggestionDeleted(BENCHES, ALICE)])
COMPLETED = SUGGESTION.fold([SUBMITTED, SuggestionCompleted(BENCHES, ALICE, None)])


@pytest.mark.parametrize("suggestion", [OPEN, PLANNED], ids=["open", "planned"])
def test_a_member_votes_for_an_open_or_planned_suggestion(suggestion: Suggestion) -> None:
    assert vote(Vote(), suggestion, BOB) == [VOTED]


def test_a_member_votes_once() -> None:
    assert vote(VOTE.fold([VOTED]), OPEN, BOB) == []


def test_an_author_may_vote_for_his_own_suggestion() -> None:
    assert vote(Vote(), OPEN, ALICE) == [SuggestionVoted(BENCHES, ALICE, ALICE)]


def test_a_vote_for_an_anonymous_suggestion_names_no_author() -> None:
    assert vote(Vote(), SUGGESTION.fold([HIDDEN]), BOB) == [SuggestionVoted(BENCHES, None, BOB)]


def test_a_vote_is_withdrawn_with_the_time_it_was_given_and_may_be_given_again() -> None:
    assert withdraw(VOTE.fold([VOTED]), OPEN, BY_BOB, FIRST) == [WITHDRAWN]
    assert withdraw(VOTE.fold([VOTED, WITHDRAWN]), OPEN, BY_BOB, FIRST) == []
    assert vote(VOTE.fold([VOTED, WITHDRAWN]), OPEN, BOB) == [replace(VOTED, given_before=NOON)]


def test_a_vote_given_again_says_when_it_was_given_before() -> None:
    later = replace(WITHDRAWN, voted_at=NOON + timedelta(hours=1))
    twice = VOTE.fold([VOTED, WITHDRAWN, VOTED, later])
    assert vote(twice, OPEN, BOB) == [replace(VOTED, given_before=later.voted_at)]


def test_a_vote_given_meanwhile_is_not_withdrawn_at_another_ones_time() -> None:
    twice = VOTE.fold([VOTED, WITHDRAWN, VOTED])
    for outdated in (FIRST, None):
        with pytest.raises(Conflict):
            withdraw(twice, OPEN, BY_BOB, outdated)
    assert withdraw(twice, OPEN, BY_BOB, Occurrence(2, NOON)) == [WITHDRAWN]


def test_votes_are_settled_with_the_suggestion() -> None:
    with pytest.raises(Conflict):
        vote(Vote(), COMPLETED, BOB)
    with pytest.raises(Conflict):
        withdraw(VOTE.fold([VOTED]), COMPLETED, BY_BOB, FIRST)


def test_a_vote_repeated_after_the_end_is_still_a_repetition() -> None:
    assert vote(VOTE.fold([VOTED]), COMPLETED, BOB) == []
    assert withdraw(Vote(), COMPLETED, BY_BOB, None) == []


def test_nobody_votes_for_what_does_not_exist() -> None:
    with pytest.raises(NotFound):
        vote(Vote(), Suggestion(), BOB)
    with pytest.raises(NotFound):
        withdraw(Vote(), Suggestion(), BY_BOB, None)


def test_a_vote_is_the_same_stream_at_every_try_and_another_one_for_everybody_else() -> None:
    assert vote_id(BENCHES, BOB) == vote_id(BENCHES, BOB) != vote_id(BENCHES, ALICE)


def test_nobody_votes_for_what_was_deleted_and_a_vote_for_it_is_taken_back() -> None:
    with pytest.raises(Conflict):
        vote(Vote(), DELETED, BOB)
    assert withdraw(VOTE.fold([VOTED]), DELETED, BY_BOB, FIRST) == [WITHDRAWN]
    settled = SUGGESTION.fold([SuggestionDeleted(BENCHES, ALICE)], COMPLETED)
    assert withdraw(VOTE.fold([VOTED]), settled, BY_BOB, FIRST) == [WITHDRAWN]


def test_who_does_not_read_here_any_more_takes_back_their_own_vote_and_learns_of_nothing_else() -> None:
    assert withdraw(VOTE.fold([VOTED]), OPEN, BY_BOB_WHO_LEFT, FIRST) == [WITHDRAWN]
    assert withdraw(VOTE.fold([VOTED, WITHDRAWN]), OPEN, BY_BOB_WHO_LEFT, FIRST) == []
    for suggestion in (OPEN, COMPLETED, DELETED, Suggestion()):
        with pytest.raises(NotFound, match="no such suggestion"):
            withdraw(Vote(), suggestion, BY_BOB_WHO_LEFT, None)
