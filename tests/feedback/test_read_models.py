"""The suggestion board: each event gives the changes that a reader of the list expects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.feedback import events
from services.feedback.app import SERVICE
from services.feedback.read_models.suggestion_board import fold, suggestion_board, suggestion_vote
from shared.events.catalogue import Catalogue
from shared.events.event import Event, Recorded, encode_data, wire_name
from shared.projections.read_model import Change, add, drop, put
from tests.feedback.samples import ALICE, BENCHES, BOB, HIDDEN, SUBMITTED, words

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GARDEN = UUID(int=9)
ROW, VOTE_ROW = (GARDEN, BENCHES), (GARDEN, BOB, BENCHES)


def recorded(event: Event, version: int) -> Recorded:
    return Recorded(
        "feedback", 0, 1, BENCHES, version, wire_name(type(event)), UUID(int=2), GARDEN, None, NOON, NOON, None,
        encode_data(event),
    )  # fmt: skip


def changes(event: Any, version: int = 1) -> list[Change]:
    return list(fold(event, recorded(event, version)))


def test_a_submitted_suggestion_stands_open_on_the_board() -> None:
    row = {
        "text_ref": words(1).ref,
        "submitted_at": NOON,
        "state": "open",
        "state_since": NOON,
        "imported_by": None,
        "edited_at": None,
    }
    assert changes(SUBMITTED) == [put(suggestion_board, ROW, 1, author=ALICE, anonymous=False, **row)]
    assert changes(HIDDEN) == [put(suggestion_board, ROW, 1, author=None, anonymous=True, **row)]


def test_a_decision_moves_the_state_and_brings_its_reason() -> None:
    for event, state in [
        (events.SuggestionPlanned(BENCHES, ALICE, words(2)), "planned"),
        (events.SuggestionCompleted(BENCHES, ALICE, words(2)), "completed"),
        (events.SuggestionDeclined(BENCHES, ALICE, words(2)), "declined"),
    ]:
        expected = put(suggestion_board, ROW, 2, state=state, state_since=NOON, reason_ref=words(2).ref)
        assert changes(event, 2) == [expected]


def test_an_answer_stands_beside_the_state() -> None:
    event = events.SuggestionAnswered(BENCHES, ALICE, words(3))
    assert changes(event, 2) == [put(suggestion_board, ROW, 2, answer_ref=words(3).ref, answered_at=NOON)]


def test_votes_are_counted_and_taken_back_and_the_board_knows_whose_they_are() -> None:
    assert changes(events.SuggestionVoted(BENCHES, ALICE, BOB)) == [
        add(suggestion_board, ROW, votes=1, votes_here=1),
        put(suggestion_vote, VOTE_ROW, 1, voted_at=NOON),
    ]
    assert changes(events.SuggestionVoteWithdrawn(BENCHES, ALICE, BOB, NOON), 2) == [
        add(suggestion_board, ROW, votes=-1),
        drop(suggestion_vote, VOTE_ROW, 2),
    ]


def test_a_deleted_suggestion_is_off_the_board() -> None:
    assert changes(events.SuggestionDeleted(BENCHES, ALICE), 3) == [drop(suggestion_board, ROW, 3)]


def test_every_event_of_the_service_is_in_some_list() -> None:
    listed = {name for view in SERVICE.own_read_models for name in view.catalogue.events}
    assert set(Catalogue.of(events).events) == listed
