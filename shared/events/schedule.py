"""When a clock on a wall shows a time next; pure, for timers that set themselves anew."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def next_time(after: datetime, zone: str, at: time) -> datetime:
    """When a clock in that time zone shows `at` next. On a day that skips it (spring), when it would have been; on one
    that has it twice (autumn), the first time.
    """
    here = ZoneInfo(zone)
    day = after.astimezone(here).date()
    return next(due for due in (_on(day + timedelta(days=n), here, at) for n in range(3)) if due > after)


def _on(day: date, zone: ZoneInfo, at: time) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
