"""The summary: bars, numbers and words from plain values."""

from __future__ import annotations

from deploy.local.measures import measure
from deploy.local.status import duration
from deploy.local.summary import chart, explained


def test_a_year_is_a_row_and_the_busiest_month_the_highest_block() -> None:
    rows = chart([("2011-08-01", 1), ("2011-09-01", 8), ("2012-01-01", 0), ("2012-12-01", 4)])
    assert rows == [f"2011  {' ' * 7}▁█{' ' * 3}  {8:>4} at most", f"2012  {' ' * 11}▄  {4:>4} at most"]


def test_months_without_numbers_leave_a_gap_and_nothing_at_all_draws_nothing() -> None:
    assert chart([]) == []
    assert len(chart([("2020-06-01", 0)])[0]) == len(chart([("2020-06-01", 7)])[0])


def test_lag_is_a_subtraction_from_what_was_written_by_the_slowest_view_anywhere() -> None:
    (member,) = measure(
        {
            "member": {"log": [5, 3], "relayed": [5, 1], "views": {"people": {"member": [5, 3]}}},
            "projection": {"log": [], "relayed": [], "views": {"activity": {"member": [4, 1]}}},
        }
    )
    assert (member.written, member.relayed, member.projected) == (8, 6, 5)
    assert (member.relay_lag, member.projection_lag, member.behind) == (2, 3, True)


def test_what_nobody_answers_is_not_taken_for_no_lag() -> None:
    idle = {"log": [1], "relayed": [1], "views": {"people": {"member": [1]}}}
    assert [one.behind for one in measure({"member": idle})] == [False]
    assert [one.behind for one in measure({"member": {}})] == [True]
    assert [one.behind for one in measure({"member": idle, "projection": {}})] == [True]


def test_an_explanation_says_whether_it_adds_up() -> None:
    items = [
        {"part": "reach", "from": "aaaaaaaa-1", "kind": None, "count": 2, "day": "2020-01-01", "thousandths": 5000},
        {"part": "resonance", "from": None, "kind": "reply", "count": 1, "day": "2020-01-02", "thousandths": 2999},
        {"part": "authority", "from": None, "kind": None, "count": None, "day": None, "thousandths": 18142},
    ]
    lines = explained({"items": items, "score_thousandths": 26141}, largest=2)
    assert lines[0].split() == ["5.000", "reach:", "1", "members", "responded", "within", "a", "year"]
    assert lines[4].split() == ["18.142", "authority,", "–"]
    assert lines[-1] == "      26.141  all 3 contributions together: exactly the score"
    assert explained({"items": items, "score_thousandths": 26142})[-1].endswith("NOT the score")


def test_times_are_short() -> None:
    assert [duration(n) for n in (5, 65, 3700, 90000)] == ["5s", "1m 05s", "1h 01m", "1d 01h"]
