"""From a community's days to its activity: sums of actions, distinct members exactly, by day, ISO week or month.

Definitions: docs/metrics.md. Distinct members are unions of roaring bitmaps, never estimates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import fsum
from typing import assert_never

from pyroaring import AbstractBitMap, BitMap, FrozenBitMap

from services.projection.days import first_of_month, monday_of, next_month
from services.projection.read_models.actions import ACTION_KINDS

WEEK = 7
MONTH = 30
"""Days that a weekly and a monthly active member may be back, the day itself included."""


class Step(StrEnum):
    """The length of one item of a series."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Day:
    """What happened on a day of the community: actions by kind, and who acted, by ordinal."""

    actions: Mapping[str, int]
    members: AbstractBitMap


QUIET = Day({}, FrozenBitMap())


@dataclass(frozen=True, slots=True)
class Active:
    """Distinct active members on a day d, in [d-6, d] and in [d-29, d]."""

    day: int
    week: int
    month: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of a community; one that is missing was quiet.

    `newcomers` are the members whose first action ever was on that day. `active` has each day that is asked about.
    """

    days: Mapping[int, Day]
    newcomers: Mapping[int, int]
    active: Mapping[int, Active]


@dataclass(frozen=True, slots=True)
class Period:
    """One item of a series. `first` is the first day of the step, also where the series begins inside it."""

    first: int
    actions: dict[str, int]
    active: Active
    stickiness: float
    new_members: int
    returning_members: int


def periods(first: int, last: int, step: Step) -> Iterator[tuple[int, int, int]]:
    """The steps that cover [first, last]: each one's own first day, and the days of it that are inside."""
    start = first
    while start <= last:
        match step:
            case Step.DAY:
                label, after = start, start + 1
            case Step.WEEK:
                label = monday_of(start)
                after = label + WEEK
            case Step.MONTH:
                label, after = first_of_month(start), next_month(start)
            case _:
                assert_never(step)
        yield label, start, min(after - 1, last)
        start = after


def active_on(day: int, days: Mapping[int, Day]) -> Active:
    """DAU, WAU and MAU of a day; `days` has the 29 before it, where anything happened on them."""
    return Active(
        len(days.get(day, QUIET).members),
        len(_union(days, day - WEEK + 1, day)),
        len(_union(days, day - MONTH + 1, day)),
    )


def activity(calendar: Calendar, first: int, last: int, step: Step) -> Iterator[Period]:
    """The series over [first, last].

    Stickiness of a period is the mean of DAU / MAU over its days, those with a MAU of 0 left out (0.0 if all are).
    A member is new in the period of their first action ever, and returning in a later one; both are distinct members.
    """
    return (_period(calendar, label, range(start, end + 1)) for label, start, end in periods(first, last, step))


def _period(calendar: Calendar, label: int, inside: range) -> Period:
    actions: Counter[str] = Counter()
    for day in inside:
        actions.update(calendar.days.get(day, QUIET).actions)
    new = sum(calendar.newcomers.get(day, 0) for day in inside)
    return Period(
        first=label,
        actions={kind: actions[kind] for kind in ACTION_KINDS},
        active=calendar.active[inside[-1]],
        stickiness=_stickiness(calendar.active[day] for day in inside),
        new_members=new,
        returning_members=len(_union(calendar.days, inside[0], inside[-1])) - new,
    )


def _union(days: Mapping[int, Day], first: int, last: int) -> AbstractBitMap:
    members = [days[day].members for day in range(first, last + 1) if day in days]
    return BitMap.union(*members) if members else QUIET.members


def _stickiness(active: Iterable[Active]) -> float:
    ratios = [a.day / a.month for a in active if a.month]
    return fsum(ratios) / len(ratios) if ratios else 0.0
