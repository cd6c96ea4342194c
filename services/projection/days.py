"""A community's day runs from the first midnight of its date to the first midnight of the next, in its time zone.

Facts are kept by slot, a quarter of an hour of UTC, because every offset in use is a whole number of quarters: so a
community may learn or change its time zone at any time, and its days are made when they are read. Where a zone's
offset is no whole number of quarters (before 1972), a slot belongs to the day its first moment is in.

A day is a number here: days since 1970-01-01. Slots are numbered from the same moment.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

SLOT_SECONDS = 900
SLOTS_A_DAY = 96
_EPOCH = date(1970, 1, 1).toordinal()

Integers = npt.NDArray[np.signedinteger[Any]]


def slot_of(at: datetime) -> int:
    """The slot a moment is in."""
    return int(at.timestamp() // SLOT_SECONDS)


def utc_day_of(slot: int) -> int:
    """The day of UTC a slot is in."""
    return slot // SLOTS_A_DAY


def number_of(day: date) -> int:
    return day.toordinal() - _EPOCH


def date_of(day: int) -> date:
    return date.fromordinal(day + _EPOCH)


@lru_cache(maxsize=100_000)
def first_slot(day: int, zone: ZoneInfo) -> int:
    """The slot a day begins with. Where midnight is skipped that is the moment of the jump."""
    midnight = datetime.combine(date_of(day), time(), tzinfo=zone)
    return -int(-midnight.astimezone(UTC).timestamp() // SLOT_SECONDS)


def days_of(slots: Integers, zone: ZoneInfo) -> Integers:
    """The day in that zone of each slot, for slots in any order."""
    if not len(slots):
        return np.zeros(0, np.int32)
    # No zone is further from UTC than a day and some; one more on each side is surely enough.
    first, last = int(slots.min()) // SLOTS_A_DAY - 2, int(slots.max()) // SLOTS_A_DAY + 2
    starts = np.array([first_slot(day, zone) for day in range(first, last + 1)], np.int64)
    return np.searchsorted(starts, slots, side="right").astype(np.int32) + np.int32(first - 1)


def monday_of(day: int) -> int:
    """The Monday that begins the day's ISO week. 1970-01-01 was a Thursday."""
    return day - (day + 3) % 7


def first_of_month(day: int) -> int:
    return number_of(date_of(day).replace(day=1))


def next_month(day: int) -> int:
    """The first day of the month after the day's own."""
    return number_of((date_of(day).replace(day=1) + timedelta(days=31)).replace(day=1))
