"""Requests to append, and their answers to come, until a connection writes them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from shared.events.errors import Unavailable
from shared.log.port import Append, Position


@dataclass(eq=False, slots=True)
class Pending:
    """A request and its answer; `partitions` has the one of each of its writes, `locks` those it rests on, too."""

    request: Append
    answer: asyncio.Future[list[Position]]
    partitions: Sequence[int]
    locks: frozenset[int]
    size: int
    doubtful: bool = False
    """True once a try has ended without our knowing how; it is looked up before it is tried again."""

    def resolve(self, positions: list[Position]) -> None:
        if not self.answer.done():
            self.answer.set_result(positions)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Queue:
    """Requests that wait. Those whose caller has gone are never handed out."""

    def __init__(self) -> None:
        self._waiting: deque[Pending] = deque()
        self._filled = asyncio.Event()

    def put(self, pending: Pending) -> None:
        self._waiting.append(pending)
        self._filled.set()

    def put_back(self, batch: Sequence[Pending]) -> None:
        self._waiting.extendleft(reversed(batch))
        self._filled.set()

    async def take(self, size: int) -> list[Pending]:
        """At least one, and more up to that many events."""
        while not (batch := self.take_now(size)):
            self._filled.clear()
            await self._filled.wait()
        return batch

    def take_now(self, size: float = float("inf")) -> list[Pending]:
        batch, taken = [], 0
        while self._waiting and taken < size:
            pending = self._waiting.popleft()
            if not pending.answer.done():
                batch.append(pending)
                taken += pending.size
        return batch

    def close(self) -> None:
        """Refuse those that still wait."""
        for pending in self.take_now():
            pending.fail(Unavailable("The service is stopping. Repeat this.", retry_after=1))
