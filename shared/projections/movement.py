"""How a process that moves views tells those in it who wait for them."""

from __future__ import annotations

import asyncio


class Movement:
    """Tells waiting requests that views in this process have moved."""

    def __init__(self) -> None:
        self._moved = asyncio.Event()

    def moved(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait(self, timeout: float) -> None:
        """Until something moved, at most `timeout` seconds."""
        moved = self._moved
        try:
            async with asyncio.timeout(timeout):
                await moved.wait()
        except TimeoutError:
            return
