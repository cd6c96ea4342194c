"""Those who wait are few: of one caller, and in all."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from shared.events.errors import TooManyRequests, Unavailable
from shared.projections.waiters import OF_A_CALLER, Waiters


def test_a_caller_has_so_many_places_and_gets_them_back() -> None:
    waiters = Waiters("it", of_all=1000)
    with ExitStack() as many:
        for _ in range(OF_A_CALLER):
            many.enter_context(waiters.one_of("greedy"))
        with pytest.raises(TooManyRequests, match="wait for it already"), waiters.one_of("greedy"):
            pass
        with waiters.one_of("patient"):
            pass
    with waiters.one_of("greedy"):
        pass


def test_all_together_have_so_many_places_and_get_them_back() -> None:
    waiters = Waiters("it", of_all=3)
    with ExitStack() as many:
        for caller in range(3):
            many.enter_context(waiters.one_of(caller))
        with pytest.raises(Unavailable, match="Too many requests wait for it"), waiters.one_of("patient"):
            pass
    with waiters.one_of("patient"):
        pass
