"""Votes: one per member, while the suggestion is open or planned."""

from __future__ import annotations

from datetime import timedelta

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
from services.feedback.votes.domain import VOTE, vote, vote_id, withdraw
from shared.events.errors import Conflict, NotFound
from tests.feedback.samples import ALICE, BENCHES, BOB, HIDDEN, OPEN, SUBMITTED
from tests.given import NOON, folded

BY_BOB, BY_BOB_WHO_LEFT = Actor(BOB), Actor(BOB, reads=False)
VOTED = SuggestionVoted(BENCHES, ALICE, BOB)
WITHDRAWN = SuggestionVoteWithdrawn(BENCHES, ALICE, BOB, NOON)
PLANNED = folded(SUGGESTION, [SUBMITTED, SuggestionPlanned(BENCHES, ALICE, None)])
DELETED = folded(SUGGESTION, [SUBMITTED, SuggestionDeleted(BENCHES, ALICE)])
COMPLETED = folded(SUGGESTION, [SUBMITTED, SuggestionCompleted(BENCHES, ALICE, None)])


@pytest.mark.parametrize("suggestion", [OPEN, PLANNED], ids=["open", "planned"])
def test_a_member_votes_for_an_open_or_planned_suggestion(suggestion: Suggestion) -> None:
    assert vote(None, suggestion, BOB) == [VOTED]


def test_a_member_votes_once() -> None:
    assert vote(folded(VOTE, [VOTED]), OPEN, BOB) == []


def test_an_author_may_vote_for_his_own_suggestion() -> None:
    assert vote(None, OPEN, ALICE) == [SuggestionVoted(BENCHES, ALICE, ALICE)]


def test_a_vote_for_an_anonymous_suggestion_names_no_author() -> None:
    assert vote(None, folded(SUGGESTION, [HIDDEN]), BOB) == [SuggestionVoted(BENCHES, None, BOB)]


def test_a_vote_is_withdrawn_with_the_time_it_was_given_and_may_be_given_again() -> None:
    assert withdraw(folded(VOTE, [VOTED]), OPEN, BY_BOB) == [WITHDRAWN]
    assert withdraw(folded(VOTE, [VOTED, WITHDRAWN]), OPEN, BY_BOB) == []
    assert vote(folded(VOTE, [VOTED, WITHDRAWN]), OPEN, BOB) == [replace(VOTED, given_before=NOON)]


def test_a_vote_given_again_says_when_it_was_given_before() -> None:
    later = replace(WITHDRAWN, voted_at=NOON + timedelta(hours=1))
    twice = folded(VOTE, [VOTED, WITHDRAWN, VOTED, later])
    assert vote(twice, OPEN, BOB) == [replace(VOTED, given_before=later.voted_at)]


def test_votes_are_settled_with_the_suggestion() -> None:
    with pytest.raises(Conflict):
        vote(None, COMPLETED, BOB)
    with pytest.raises(Conflict):
        withdraw(folded(VOTE, [VOTED]), COMPLETED, BY_BOB)


def test_a_vote_repeated_after_the_end_is_still_a_repetition() -> None:
    assert vote(folded(VOTE, [VOTED]), COMPLETED, BOB) == []
    assert withdraw(None, COMPLETED, BY_BOB) == []


def test_nobody_votes_for_what_does_not_exist() -> None:
    with pytest.raises(NotFound):
        vote(None, None, BOB)
    with pytest.raises(NotFound):
        withdraw(None, None, BY_BOB)


def test_a_vote_is_the_same_stream_at_every_try_and_another_one_for_everybody_else() -> None:
    assert vote_id(BENCHES, BOB) == vote_id(BENCHES, BOB) != vote_id(BENCHES, ALICE)


def test_nobody_votes_for_what_was_deleted_and_a_vote_for_it_is_taken_back() -> None:
    with pytest.raises(Conflict):
        vote(None, DELETED, BOB)
    assert withdraw(folded(VOTE, [VOTED]), DELETED, BY_BOB) == [WITHDRAWN]
    settled = folded(SUGGESTION, [SuggestionDeleted(BENCHES, ALICE)], COMPLETED)
    assert withdraw(folded(VOTE, [VOTED]), settled, BY_BOB) == [WITHDRAWN]


def test_who_does_not_read_here_any_more_takes_back_their_own_vote_and_learns_of_nothing_else() -> None:
    assert withdraw(folded(VOTE, [VOTED]), OPEN, BY_BOB_WHO_LEFT) == [WITHDRAWN]
    assert withdraw(folded(VOTE, [VOTED, WITHDRAWN]), OPEN, BY_BOB_WHO_LEFT) == []
    for suggestion in (OPEN, COMPLETED, DELETED, None):
        with pytest.raises(NotFound, match="no such suggestion"):
            withdraw(None, suggestion, BY_BOB_WHO_LEFT)
