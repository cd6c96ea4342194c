"""Views: counted once per member, target and hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.engagement.events import TargetViewed
from services.engagement.visits.domain import VISIT, hour_of, visit, visit_id
from shared.events.errors import Conflict, NotFound
from tests.engagement.samples import ALICE, BOB, DELETED, NOON, QUESTION, ROSES, WATER
from tests.given import folded

VIEWED = TargetViewed(ROSES, "thread", ALICE, BOB, NOON)


def test_a_look_is_counted_once() -> None:
    assert visit(None, QUESTION, BOB, NOON) == [VIEWED]
    assert (
        visit(folded(VISIT, [VIEWED]), QUESTION, BOB, NOON) == visit(folded(VISIT, [VIEWED]), DELETED, BOB, NOON) == []
    )


def test_nobody_looks_at_what_was_deleted_or_never_was() -> None:
    with pytest.raises(Conflict):
        visit(None, DELETED, BOB, NOON)
    with pytest.raises(NotFound):
        visit(None, None, BOB, NOON)


def test_the_hour_is_that_of_the_clock_in_utc_wherever_one_is() -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    assert hour_of(datetime(2026, 3, 1, 17, 50, 30, tzinfo=kathmandu)) == NOON
    assert hour_of(datetime(2026, 3, 1, 12, 59, 59, 999_999, tzinfo=UTC)) == NOON


def test_each_member_target_and_hour_is_a_stream_of_its_own() -> None:
    hours = (NOON, NOON + timedelta(hours=1))
    assert len({visit_id(t, m, h) for t in (ROSES, WATER) for m in (ALICE, BOB) for h in hours}) == 8
