"""Lines of one instant are told apart by microseconds, in their order, within what is kept in mind."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.web.backfill.instants import REMEMBERED, Instants

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(microseconds: int) -> datetime:
    return NOON + timedelta(microseconds=microseconds)


@given(st.lists(st.integers(0, 4), max_size=60))
def test_no_two_lines_of_a_list_have_one_time_and_those_of_one_instant_keep_their_order(given_at: list[int]) -> None:
    order = Instants()
    told = [order.after_those_before("list", at(moment)) for moment in given_at]
    assert len(set(told)) == len(told)
    assert all(late >= at(moment) for moment, late in zip(given_at, told, strict=True))
    for moment in set(given_at):
        of_it = [late for first, late in zip(given_at, told, strict=True) if first == moment]
        assert of_it == sorted(of_it)


def test_lists_do_not_move_each_other() -> None:
    order = Instants()
    assert [order.after_those_before(name, NOON) for name in ("one", "two", "one")] == [NOON, NOON, at(1)]


def test_instants_that_touch_are_passed_at_once() -> None:
    """A chain of thousands was walked again for every line."""
    order, many = Instants(), 4_500
    began = time.process_time()
    for number in range(many):
        order.after_those_before("list", at(number))
    once = time.process_time() - began
    began = time.process_time()
    told = [order.after_those_before("list", at(number)) for number in range(many)]
    assert time.process_time() - began < 20 * once  # it was hundreds of times as long
    assert told == [at(many + number) for number in range(many)]


def test_a_request_without_end_takes_no_memory_without_end() -> None:
    order = Instants()
    for number in range(REMEMBERED + 500):
        order.after_those_before("list", at(number * 10))
    assert len(order._next) == REMEMBERED
