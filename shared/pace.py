"""Who looks for work looks often while there is some and seldom while there is none, and at once when woken."""

from __future__ import annotations

import asyncio

BUSY = 0.005
IDLE = 0.05
"""Seconds between two looks at the heads: the first after something was found, at most the second."""


class Pace:
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
