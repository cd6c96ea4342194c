from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.projection.days import (
    date_of,
    days_of,
    first_of_month,
    first_slot,
    monday_of,
    next_month,
    number_of,
    slot_of,
)
from tests.projection.histories import zones


def day_in(zone: str, *when: int) -> date:
    slot = slot_of(datetime(*when, tzinfo=UTC))  # type: ignore[misc, arg-type]
    return date_of(int(days_of(np.array([slot]), ZoneInfo(zone))[0]))


@given(st.integers(100_000_000, 2_200_000_000), zones)
def test_a_slot_is_in_the_day_its_zone_says(seconds: int, zone: ZoneInfo) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    local = at.astimezone(zone)
    (day,) = days_of(np.array([slot_of(at)]), zone)
    # The one exception: clocks that go back over midnight show the day before once more (St John's, 00:01).
    repeated = local.fold == 1 and local.hour == 23
    assert date_of(int(day)) == local.date() or repeated


@given(st.dates(date(1973, 1, 1), date(2040, 1, 1)), zones)
def test_days_lie_end_to_end(day: date, zone: ZoneInfo) -> None:
    number = number_of(day)
    assert 0 <= first_slot(number + 1, zone) - first_slot(number, zone) <= 100


def test_a_zone_of_three_quarters_of_an_hour_has_its_own_days() -> None:
    assert day_in("Asia/Kathmandu", 2026, 3, 1, 18, 14) == date(2026, 3, 1)
    assert day_in("Asia/Kathmandu", 2026, 3, 1, 18, 15) == date(2026, 3, 2)


def test_a_day_whose_midnight_is_skipped_begins_with_the_jump() -> None:
    assert day_in("America/Sao_Paulo", 2018, 11, 4, 2, 59) == date(2018, 11, 3)
    assert day_in("America/Sao_Paulo", 2018, 11, 4, 3, 0) == date(2018, 11, 4)


def test_a_day_that_a_country_left_out_has_no_moment() -> None:
    assert day_in("Pacific/Apia", 2011, 12, 30, 9, 59) == date(2011, 12, 29)
    assert day_in("Pacific/Apia", 2011, 12, 30, 10, 0) == date(2011, 12, 31)


@given(st.dates(date(1971, 1, 1), date(2100, 1, 1)))
def test_weeks_begin_on_monday_and_months_on_the_first(day: date) -> None:
    number = number_of(day)
    assert date_of(monday_of(number)).weekday() == 0
    assert 0 <= number - monday_of(number) < 7
    assert date_of(first_of_month(number)) == day.replace(day=1)
    assert date_of(next_month(number)).day == 1
    assert 1 <= next_month(number) - number <= 31
