"""A line's times are of the past: those of our near future are recorded as now, those that cannot be are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from shared.events.errors import Problem
from shared.web.backfill.command import DatedLine
from shared.web.backfill.line_processor import _of_the_past


def line(occurred_at: str, edited_at: str | None = None) -> DatedLine:
    times = {"occurred_at": occurred_at} | ({"edited_at": edited_at} if edited_at else {})
    return DatedLine.model_validate({"command": "speak", "source": "1", "subject": None, **times})


def test_what_happens_in_a_moment_is_recorded_as_now() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    soon = (now + timedelta(seconds=55)).isoformat()
    taken = _of_the_past(line(soon, soon), now)
    assert (taken.occurred_at, taken.edited_at) == (now, now)
    assert _of_the_past(line("2020-01-01T00:00:00Z"), now).occurred_at == datetime(2020, 1, 1, tzinfo=UTC)
    with pytest.raises(Problem):
        _of_the_past(line((now + timedelta(seconds=61)).isoformat()), now)


@pytest.mark.parametrize("beyond", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_is_none_in_utc_is_refused(beyond: str) -> None:
    for times in ((beyond,), ("2020-01-01T00:00:00Z", beyond)):
        with pytest.raises(ValidationError, match="outside the years"):
            line(*times)
