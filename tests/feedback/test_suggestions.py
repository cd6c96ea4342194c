"""Suggestions: open, planned, completed or declined; answered beside that; anonymous if wished."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest

from services.feedback.events import (
    SuggestionAnswered,
    SuggestionCompleted,
    SuggestionDeclined,
    SuggestionDeleted,
    SuggestionPlanned,
)
from services.feedback.suggestions.domain import SUGGESTION, Actor, Decision, Suggestion, answer, decide, delete
from shared.events.errors import Conflict, Forbidden, NotFound
from tests.feedback.samples import ALICE, BENCHES, BOB, HIDDEN, OPEN, SUBMITTED, words
from tests.given import NOON, folded

ANSWERED = SuggestionAnswered(BENCHES, ALICE, words(2))
PLANNED = SuggestionPlanned(BENCHES, ALICE, words(3))
COMPLETED = SuggestionCompleted(BENCHES, ALICE, None)
DECLINED = SuggestionDeclined(BENCHES, ALICE, words(4))
DECISIONS: tuple[Decision, ...] = get_args(Decision)


def test_a_suggestion_knows_who_submitted_it_and_when() -> None:
    assert Suggestion(BENCHES, ALICE, False, words(1), NOON, NOON, None, None) == OPEN
    hidden = folded(SUGGESTION, [HIDDEN])
    assert (hidden.author_id, hidden.anonymous) == (None, True)


def test_a_suggestion_knows_since_when_it_is_in_its_state_and_when_it_was_answered() -> None:
    later = NOON + timedelta(days=1)
    planned = folded(SUGGESTION, [PLANNED], OPEN, later)
    assert (planned.state, planned.state_since, planned.answered_at) == ("planned", later, None)
    assert folded(SUGGESTION, [ANSWERED], planned, later).answered_at == later


def test_an_answer_is_given_once_and_may_be_revised() -> None:
    assert answer(OPEN, words(2)) == [ANSWERED]
    assert answer(folded(SUGGESTION, [SUBMITTED, ANSWERED]), words(2)) == []
    assert answer(folded(SUGGESTION, [SUBMITTED, ANSWERED]), words(5)) == [SuggestionAnswered(BENCHES, ALICE, words(5))]


def test_an_answer_leaves_the_state_alone_and_comes_in_any_state() -> None:
    declined = folded(SUGGESTION, [SUBMITTED, DECLINED])
    assert folded(SUGGESTION, answer(declined, words(2)), declined) == replace(
        declined, answer=words(2), answered_at=NOON
    )


def test_an_open_suggestion_is_planned_then_completed() -> None:
    assert decide("planned", OPEN, words(3)) == [PLANNED]
    assert decide("completed", folded(SUGGESTION, [SUBMITTED, PLANNED]), None) == [COMPLETED]


def test_an_open_suggestion_may_be_completed_or_declined_at_once() -> None:
    assert decide("completed", OPEN, None) == [COMPLETED]
    assert decide("declined", OPEN, words(4)) == [DECLINED]


def test_a_planned_suggestion_may_still_be_declined() -> None:
    assert decide("declined", folded(SUGGESTION, [SUBMITTED, PLANNED]), words(4)) == [DECLINED]


def test_a_decision_repeated_with_the_same_reason_changes_nothing() -> None:
    assert decide("planned", folded(SUGGESTION, [SUBMITTED, PLANNED]), words(3)) == []
    assert decide("completed", folded(SUGGESTION, [SUBMITTED, COMPLETED]), None) == []
    assert decide("declined", folded(SUGGESTION, [SUBMITTED, DECLINED]), words(4)) == []


@pytest.mark.parametrize("settled", [COMPLETED, DECLINED])
def test_what_is_settled_stays_settled(settled: SuggestionCompleted | SuggestionDeclined) -> None:
    state = folded(SUGGESTION, [SUBMITTED, settled])
    for decision in DECISIONS:
        with pytest.raises(Conflict):
            decide(decision, state, words(8))


def test_the_reason_belongs_to_the_state_it_is_in() -> None:
    assert folded(SUGGESTION, [SUBMITTED, PLANNED]).reason == words(3)
    assert folded(SUGGESTION, [SUBMITTED, PLANNED, COMPLETED]).reason is None


@pytest.mark.parametrize(
    "before", [[], [PLANNED], [COMPLETED], [DECLINED]], ids=["open", "planned", "done", "declined"]
)
@pytest.mark.parametrize("by", [Actor(ALICE), Actor(ALICE, reads=False), Actor(BOB, moderates=True)])
def test_its_author_also_one_who_left_or_a_moderator_deletes_it_in_any_state_once(by: Actor, before: list[Any]) -> None:
    state = folded(SUGGESTION, [SUBMITTED, *before])
    assert delete(state, by) == [SuggestionDeleted(BENCHES, ALICE)]
    assert delete(folded(SUGGESTION, delete(state, by), state), by) == []


def test_nobody_else_deletes_it_and_to_whom_it_is_not_shown_it_is_not_there() -> None:
    with pytest.raises(Forbidden):
        delete(OPEN, Actor(BOB))
    with pytest.raises(NotFound, match="no such suggestion"):
        delete(OPEN, Actor(BOB, reads=False))


def test_an_anonymous_one_has_no_author_and_is_deleted_by_moderators_only() -> None:
    hidden = folded(SUGGESTION, [HIDDEN])
    with pytest.raises(Forbidden):
        delete(hidden, Actor(ALICE))
    assert delete(hidden, Actor(BOB, moderates=True)) == [SuggestionDeleted(BENCHES, None)]


def test_nothing_is_decided_about_a_deleted_one_but_what_was_decided_before() -> None:
    state = folded(SUGGESTION, [SUBMITTED, ANSWERED, PLANNED, SuggestionDeleted(BENCHES, ALICE)])
    assert answer(state, words(2)) == decide("planned", state, words(3)) == []
    with pytest.raises(Conflict, match="deleted"):
        answer(state, words(8))
    for decision in DECISIONS:
        with pytest.raises(Conflict, match="deleted"):
            decide(decision, state, words(8))
