"""Commands of one process on one stream take turns, so that they do not meet as conflicts in the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class StreamLocks:
    """The turns that are being taken or waited for, by stream."""

    def __init__(self) -> None:
        self._turns: dict[UUID, _Turn] = {}

    @asynccontextmanager
    async def on(self, streams: Iterable[UUID]) -> AsyncIterator[None]:
        """Wait until it is this command's turn on each stream, in one order so that none wait for each other."""
        async with AsyncExitStack() as stack:
            for stream in sorted(streams):
                await stack.enter_async_context(self._one(stream))
            yield

    @asynccontextmanager
    async def _one(self, stream: UUID) -> AsyncIterator[None]:
        turn = self._turns.setdefault(stream, _Turn())
        turn.waiting += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[stream]
