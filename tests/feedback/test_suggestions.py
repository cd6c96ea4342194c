"""Suggestions: open, planned, completed or declined; answered beside that; anonymous if wished."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.feedback.events import (
    SuggestionAnswered,
    SuggestionCompleted,
    SuggestionDeclined,
    SuggestionDeleted,
    SuggestionPlanned,
)
from services.feedback.suggestions.domain import (
    SUGGESTION,
    Actor,
    Suggestion,
    answer,
    complete,
    decline,
    delete,
    plan,
    submit,
)
from shared.events.errors import Conflict, Forbidden, KeyReused, NotFound
from tests.feedback.samples import ALICE, BENCHES, BOB, HIDDEN, OPEN, SUBMITTED, words

ANSWERED = SuggestionAnswered(BENCHES, ALICE, words(2))
PLANNED = SuggestionPlanned(BENCHES, ALICE, words(3))
COMPLETED = SuggestionCompleted(BENCHES, ALICE, None)
DECLINED = SuggestionDeclined(BENCHES, ALICE, words(4))


def test_a_suggestion_is_submitted_under_its_author() -> None:
    assert submit(Suggestion(), BENCHES, ALICE, words(1), anonymous=False) == [SUBMITTED]


def test_an_anonymous_suggestion_names_nobody() -> None:
    assert submit(Suggestion(), BENCHES, ALICE, words(1), anonymous=True) == [HIDDEN]


@pytest.mark.parametrize("anonymous", [False, True])
def test_a_suggestion_submitted_again_changes_nothing(anonymous: bool) -> None:
    state = SUGGESTION.fold([HIDDEN if anonymous else SUBMITTED])
    assert submit(state, BENCHES, ALICE, words(1), anonymous=anonymous) == []


def test_an_id_that_is_taken_is_not_given_to_another_suggestion() -> None:
    for author, text, anonymous in [(BOB, words(1), False), (ALICE, words(9), False), (ALICE, words(1), True)]:
        with pytest.raises(KeyReused):
            submit(OPEN, BENCHES, author, text, anonymous=anonymous)


def test_an_answer_is_given_once_and_may_be_revised() -> None:
    assert answer(OPEN, words(2)) == [ANSWERED]
    assert answer(SUGGESTION.fold([SUBMITTED, ANSWERED]), words(2)) == []
    assert answer(SUGGESTION.fold([SUBMITTED, ANSWERED]), words(5)) == [SuggestionAnswered(BENCHES, ALICE, words(5))]


def test_an_answer_leaves_the_state_alone_and_comes_in_any_state() -> None:
    declined = SUGGESTION.fold([SUBMITTED, DECLINED])
    assert SUGGESTION.fold(answer(declined, words(2)), declined) == replace(declined, answer=words(2))


def test_an_open_suggestion_is_planned_then_completed() -> None:
    assert plan(OPEN, words(3)) == [PLANNED]
    assert complete(SUGGESTION.fold([SUBMITTED, PLANNED]), None) == [COMPLETED]


def test_an_open_suggestion_may_be_completed_or_declined_at_once() -> None:
    assert complete(OPEN, None) == [COMPLETED]
    assert decline(OPEN, words(4)) == [DECLINED]


def test_a_planned_suggestion_may_still_be_declined() -> None:
    assert decline(SUGGESTION.fold([SUBMITTED, PLANNED]), words(4)) == [DECLINED]


def test_a_decision_repeated_with_the_same_reason_changes_nothing() -> None:
    assert plan(SUGGESTION.fold([SUBMITTED, PLANNED]), words(3)) == []
    assert complete(SUGGESTION.fold([SUBMITTED, COMPLETED]), None) == []
    assert decline(SUGGESTION.fold([SUBMITTED, DECLINED]), words(4)) == []


@pytest.mark.parametrize("settled", [COMPLETED, DECLINED])
def test_what_is_settled_stays_settled(settled: SuggestionCompleted | SuggestionDeclined) -> None:
    state = SUGGESTION.fold([SUBMITTED, settled])
    for decision in (plan, complete, decline):
        with pytest.raises(Conflict):
            decision(state, words(8))


def test_nothing_is_decided_about_a_suggestion_that_does_not_exist() -> None:
    for decision in (answer, plan, complete, decline):
        with pytest.raises(NotFound):
            decision(Suggestion(), words(1))


def test_the_reason_belongs_to_the_state_it_is_in() -> None:
    assert SUGGESTION.fold([SUBMITTED, PLANNED]).reason == words(3)
    assert SUGGESTION.fold([SUBMITTED, PLANNED, COMPLETED]).reason is None


@pytest.mark.parametrize(
    "before", [[], [PLANNED], [COMPLETED], [DECLINED]], ids=["open", "planned", "done", "declined"]
)
@pytest.mark.parametrize("by", [Actor(ALICE), Actor(ALICE, reads=False), Actor(BOB, moderates=True)])
def test_its_author_also_one_who_left_or_a_moderator_deletes_it_in_any_state_once(by: Actor, before: list[Any]) -> None:
    state = SUGGESTION.fold([SUBMITTED, *before])
    assert delete(state, by) == [SuggestionDeleted(BENCHES, ALICE)]
    assert delete(SUGGESTION.fold(delete(state, by), state), by) == []


def test_nobody_else_deletes_it_and_to_whom_it_is_not_shown_it_is_not_there() -> None:
    with pytest.raises(Forbidden):
        delete(OPEN, Actor(BOB))
    for state in (OPEN, Suggestion()):
        with pytest.raises(NotFound, match="no such suggestion"):
            delete(state, Actor(BOB, reads=False))


def test_an_anonymous_one_has_no_author_and_is_deleted_by_moderators_only() -> None:
    hidden = SUGGESTION.fold([HIDDEN])
    with pytest.raises(Forbidden):
        delete(hidden, Actor(ALICE))
    assert delete(hidden, Actor(BOB, moderates=True)) == [SuggestionDeleted(BENCHES, None)]


def test_nothing_is_decided_about_a_deleted_one_but_what_was_decided_before() -> None:
    state = SUGGESTION.fold([SUBMITTED, ANSWERED, PLANNED, SuggestionDeleted(BENCHES, ALICE)])
    assert submit(state, BENCHES, ALICE, words(1), anonymous=False) == []
    assert answer(state, words(2)) == plan(state, words(3)) == []
    for decision in (answer, plan, complete, decline):
        with pytest.raises(Conflict, match="deleted"):
            decision(state, words(8))
