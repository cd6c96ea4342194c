"""Those who wait are few, of one caller at once and in all, so that nobody keeps a process busy by asking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from shared.events.errors import TooManyRequests, Unavailable

OF_A_CALLER = 64
"""Requests of one caller that may wait in a process at once: more than a page of a front end sends."""


class Waiters:
    """One per process and kind of waiting. `what` they wait for is what who is one too many is told."""

    def __init__(self, what: str, *, of_all: int) -> None:
        self._what = what
        self._of_all = of_all
        self._callers: Counter[Hashable] = Counter()

    @contextmanager
    def one_of(self, caller: Hashable) -> Iterator[None]:
        """While a request of that caller waits. Raises `TooManyRequests` where `OF_A_CALLER` of them do already, and
        `Unavailable` where too many do in all.
        """
        if self._callers[caller] >= OF_A_CALLER:
            raise TooManyRequests(
                f"You have {OF_A_CALLER} requests that wait for {self._what} already. Wait for one of them.",
                retry_after=1,
            )
        if self._callers.total() >= self._of_all:
            raise Unavailable(f"Too many requests wait for {self._what}. Ask again later.", retry_after=1)
        self._callers[caller] += 1
        try:
            yield
        finally:
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]
