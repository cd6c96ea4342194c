"""What a process holds of requests that are still arriving is bounded for all of them together, not for each."""

from __future__ import annotations

import asyncio
from collections import deque


class Room:
    """A number of bytes, given out in the order in which they are asked for. More than there is counts as all."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.left = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def try_take(self, size: int) -> bool:
        """Whether there was room at once, which is taken then; never before somebody who waits."""
        size = min(size, self.size)
        if self._waiting or size > self.left:
            return False
        self.left -= size
        return True

    async def take(self, size: int) -> None:
        """Wait until there is room, and take it."""
        if self.try_take(size):
            return
        asked = (min(size, self.size), asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        try:
            await asked[1]
        except asyncio.CancelledError:
            if asked[1].done() and not asked[1].cancelled():
                self.give(size)
            else:
                if asked in self._waiting:  # not where room was handed out meanwhile: who had gone was passed over
                    self._waiting.remove(asked)
                self._hand_out()
            raise

    def give(self, size: int) -> None:
        """Give back what was taken."""
        self.left += min(size, self.size)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.left:
            size, asked = self._waiting.popleft()
            if not asked.cancelled():
                self.left -= size
                asked.set_result(None)
