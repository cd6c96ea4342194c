"""The summary: bars, numbers and words from plain values."""

from __future__ import annotations

from deploy.local.measures import measure, settled
from deploy.local.status import duration
from deploy.local.summary import chart, explained


def test_a_year_is_a_row_and_the_busiest_month_the_highest_block() -> None:
    rows = chart([("2011-08-01", 1), ("2011-09-01", 8), ("2012-01-01", 0), ("2012-12-01", 4)])
    assert rows == [f"2011  {' ' * 7}▁█{' ' * 3}  {8:>4} at most", f"2012  {' ' * 11}▄  {4:>4} at most"]


def test_months_without_numbers_leave_a_gap_and_nothing_at_all_draws_nothing() -> None:
    assert chart([]) == []
    assert len(chart([("2020-06-01", 0)])[0]) == len(chart([("2020-06-01", 7)])[0])


def test_lag_is_a_subtraction() -> None:
    member, projection = measure(
        {
            "member": {"log": [5, 3], "relayed": [5, 1], "views": {"people": {"member": [5, 3]}}},
            "projection": {"log": [], "relayed": [], "views": {"activity": {"member": [4, 1]}}},
        }
    )
    assert (member.written, member.relayed, member.relay_lag, member.view_lag) == (8, 6, 2, 0)
    assert (projection.written, projection.folded, projection.view_lag) == (0, 5, 3)
    assert not settled([member, projection])


def test_a_service_that_does_not_answer_is_not_settled() -> None:
    assert not settled(measure({"member": {}}))
    assert settled(measure({"member": {"log": [1], "relayed": [1], "views": {}}}))


def test_an_explanation_is_indented_and_long_lists_are_cut() -> None:
    lines = explained({"score": 81.5, "member_id": "x", "reach": {"sources": [{"points": n} for n in range(9)]}})
    assert lines[0] == "  score: 81.50"
    assert "    sources: 9" in lines
    assert sum("points" in line for line in lines) == 3


def test_times_are_short() -> None:
    assert [duration(n) for n in (5, 65, 3700, 90000)] == ["5s", "1m 05s", "1h 01m", "1d 01h"]
