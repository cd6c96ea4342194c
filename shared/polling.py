"""How long to wait before another look, and before another try.

Who looks for work looks often while there is some, seldom while there is none, and at once when woken. Who has failed
tries again ever more seldom.
"""

from __future__ import annotations

import asyncio

BUSY = 0.005
IDLE = 0.05
"""Seconds between two looks at the heads: the first after something was found, at most the second."""


class PollInterval:
    """How long to wait before the next look; being woken ends the wait at once."""

    def __init__(self, busy: float = BUSY, idle: float = IDLE) -> None:
        self._busy = busy
        self._idle = idle
        self._delay = busy
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now. Call it from the event loop's own thread."""
        self._woken.set()

    def found(self) -> None:
        """Something was there: look again soon."""
        self._delay = self._busy

    async def rest(self, limit: float | None = None) -> None:
        """Wait for the next look, at most `limit` seconds."""
        delay = self._delay if limit is None else min(self._delay, limit)
        self._delay = min(self._delay * 1.5, self._idle)
        try:
            async with asyncio.timeout(delay):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self._woken.clear()


class BackOff:
    """Seconds between tries: the first, doubled at each further one up to the longest; `begin_anew` after a success."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = self._pause = first
        self._longest = longest

    def next(self) -> float:
        pause = self._pause
        self._pause = min(pause * 2, self._longest)
        return pause

    def begin_anew(self) -> None:
        self._pause = self._first
