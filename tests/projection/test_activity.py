from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from statistics import fmean
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from services.projection.activity import arithmetic
from services.projection.activity.arithmetic import Active, Calendar, Day, Period, Step, active_on, activity, periods
from services.projection.activity.routes import columns, row
from services.projection.days import date_of, number_of
from services.projection.read_models.actions import ACTION_KINDS
from tests.projection import oracle
from tests.projection.histories import EVERYBODY, MEMBERS, START, doings, zones
from tests.projection.oracle import Action

UTC = ZoneInfo("UTC")
ANCHOR = number_of(START.date())


def calendar_of(actions: Sequence[Action], zone: ZoneInfo, asked: Iterable[int]) -> Calendar:
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    members: defaultdict[int, BitMap] = defaultdict(BitMap)
    first: dict[object, int] = {}
    for action in actions:
        day = number_of(action.at.astimezone(zone).date())
        counts[day][action.kind] += 1
        if action.member is not None:
            members[day].add(MEMBERS.index(action.member))
            first[action.member] = min(day, first.get(action.member, day))
    days = {day: Day(counts[day], members[day]) for day in counts}
    return Calendar(days, Counter(first.values()), {day: active_on(day, days) for day in asked})


def series(actions: Sequence[Action], zone: ZoneInfo, first: int, last: int, step: Step) -> list[Period]:
    return list(activity(calendar_of(actions, zone, range(first, last + 1)), first, last, step))


@given(doings, zones, st.integers(-2, 5), st.integers(0, 40))
def test_a_day_is_what_its_definition_says(actions: list[Action], zone: ZoneInfo, start: int, length: int) -> None:
    first = ANCHOR + start
    got = series(actions, zone, first, first + length, Step.DAY)
    assert [p.first for p in got] == list(range(first, first + length + 1))
    for period in got:
        expected = oracle.activity(actions, zone, date_of(period.first), EVERYBODY)
        assert {k: n for k, n in period.actions.items() if n} == expected.actions
        assert period.active == Active(len(expected.day), len(expected.week), len(expected.month))
        assert period.new_members == len(expected.new)
        assert period.new_members + period.returning_members == len(expected.day)
        assert period.stickiness == (len(expected.day) / len(expected.month) if expected.month else 0.0)


@given(doings, zones, st.integers(-9, 5), st.integers(0, 100), st.sampled_from([Step.WEEK, Step.MONTH]))
def test_a_longer_step_sums_actions_and_counts_members_once(
    actions: list[Action], zone: ZoneInfo, start: int, length: int, step: Step
) -> None:
    first, last = ANCHOR + start, ANCHOR + start + length
    got = series(actions, zone, first, last, step)
    inside = [(p, s, e) for p, (_, s, e) in zip(got, periods(first, last, step), strict=True)]
    for period, begin, end in inside:
        daily = [oracle.activity(actions, zone, date_of(day), EVERYBODY) for day in range(begin, end + 1)]
        actives = {member for day in daily for member in day.day}
        new = {member for day in daily for member in day.new}
        assert sum(period.actions.values()) == sum(sum(day.actions.values()) for day in daily)
        assert (period.new_members, period.returning_members) == (len(new), len(actives - new))
        assert period.active == Active(len(daily[-1].day), len(daily[-1].week), len(daily[-1].month))
        ratios = [len(day.day) / len(day.month) for day in daily if day.month]
        assert period.stickiness == pytest.approx(fmean(ratios) if ratios else 0.0)


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.integers(0, 500), st.sampled_from(Step))
def test_periods_cover_every_day_once(first: date, length: int, step: Step) -> None:
    start, end = number_of(first), number_of(first + timedelta(days=length))
    covered = [day for _, begin, last in periods(start, end, step) for day in range(begin, last + 1)]
    assert covered == list(range(start, end + 1))


def test_a_week_is_named_by_its_monday_and_a_month_by_its_first() -> None:
    thursday, next_tuesday = number_of(date(2026, 1, 29)), number_of(date(2026, 2, 3))
    weeks = [date_of(label).isoformat() for label, _, _ in periods(thursday, next_tuesday, Step.WEEK)]
    months = [date_of(label).isoformat() for label, _, _ in periods(thursday, next_tuesday, Step.MONTH)]
    assert weeks == ["2026-01-26", "2026-02-02"]
    assert months == ["2026-01-01", "2026-02-01"]


NUMBERS = ["active_day", "active_week", "active_month", "stickiness", "new_members", "returning_members"]
PUBLISHED = ["day", "thread", "reply", "comment", "acceptance", "reaction", "share", "suggestion", "vote", *NUMBERS]


def test_columns_of_the_table_stand_where_they_were_published() -> None:
    assert columns(ACTION_KINDS)[: len(PUBLISHED)] == PUBLISHED


def test_a_kind_of_action_that_is_added_moves_no_column(monkeypatch: pytest.MonkeyPatch) -> None:
    acted = [Action(START, kind, MEMBERS[0]) for kind in ("reply", "vote", "vote")]
    before = series(acted, UTC, ANCHOR, ANCHOR, Step.DAY)
    added = (*ACTION_KINDS, "ballot", "check_in")
    monkeypatch.setattr(arithmetic, "ACTION_KINDS", added)
    after = series([*acted, Action(START, "ballot", MEMBERS[0])], UTC, ANCHOR, ANCHOR, Step.DAY)

    assert [columns(added)[: len(PUBLISHED)], columns(added)[len(PUBLISHED) :]] == [PUBLISHED, ["ballot", "check_in"]]
    assert row(after[0]) == [*row(before[0]), 1, 0]
    counted = dict(zip(columns(added), row(after[0]), strict=True))
    assert {name: n for name, n in counted.items() if n} == {
        "day": "2024-02-27",
        "reply": 1,
        "vote": 2,
        "ballot": 1,
        **dict.fromkeys(("active_day", "active_week", "active_month", "stickiness", "new_members"), 1),
    }
