"""A history tells when things happened in a stream, the same whether it was built at once or event by event."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from shared.events.history import Done, History, Occurrence
from tests.shared.toy import ALICE, BOB, NOON, AccountClosed, AccountOpened, Deposited

LATER, LAST = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
HAPPENED = [
    (AccountOpened(ALICE), Done(NOON, ALICE, BOB)),
    (Deposited(1), Done(LATER)),
    (Deposited(2), Done(LAST, BOB)),
    (AccountClosed(), Done(LATER, ALICE)),
]


def test_a_history_knows_the_first_time_and_the_last_of_each_kind() -> None:
    history = History().then(HAPPENED)

    assert (history.version, history.began_at) == (4, NOON)
    assert history.last_occasion(Deposited) == Occurrence(2, LAST)
    assert history.last_at(AccountOpened) == NOON
    assert History().last_occasion(Deposited) is None


def test_the_last_of_several_kinds_is_the_last_in_the_stream_whatever_its_time() -> None:
    assert History().then(HAPPENED).last_at(Deposited, AccountClosed) == LATER
    assert History().last_at(Deposited, AccountClosed) is None


def test_a_history_knows_who_began_it_and_who_did_the_last_of_each_kind() -> None:
    history = History().then(HAPPENED)

    assert (history.imported_by, History().imported_by) == (BOB, None)
    assert history.last(Deposited) == Done(LAST, BOB)
    assert history.last(Deposited, AccountClosed) == Done(LATER, ALICE)


def test_a_history_tells_what_was_done_here_from_what_was_brought_in() -> None:
    history = History().then([*HAPPENED, (Deposited(3), Done(LAST, ALICE, BOB))])

    assert history.last(Deposited) == Done(LAST, ALICE, BOB)
    assert history.last_here(Deposited) == Done(LAST, BOB)
    assert history.last_here(Deposited, AccountClosed) == Done(LATER, ALICE)
    assert history.last_here(AccountOpened) is None
    assert history.last_brought_in(AccountOpened, Deposited) == Done(LAST, ALICE, BOB)
    assert history.last_brought_in(AccountClosed) is None
    assert history.last_occasion(Deposited) == Occurrence(3, LAST)


def test_a_history_may_be_continued_event_by_event() -> None:
    history = History()
    for happened in HAPPENED:
        history = history.then([happened])

    assert history == History().then(HAPPENED)


def test_times_are_told_in_utc_as_the_log_tells_them() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))

    assert History().then([(AccountOpened(ALICE), Done(elsewhere))]).began_at.isoformat() == "2026-03-01T12:00:00+00:00"


def test_a_stream_without_events_did_not_begin() -> None:
    with pytest.raises(AssertionError, match="nothing has happened"):
        _ = History().began_at
