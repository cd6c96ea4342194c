"""Group load: streams that are asked for while looks are under way are read together by the next one.

A look begins after everybody whom it answers has asked, so it shows whatever was committed before.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import asyncpg

from shared.cancellation import end
from shared.events.errors import Unavailable
from shared.events.event import Recorded
from shared.log.sql import LOAD, LOAD_MANY

AT_ONCE = 2
"""Looks that may be under way: with one, a long stream would hold up all the others."""
TOGETHER = 256
"""Streams that one look reads at most."""

Wanted = tuple[UUID, int]
"""A stream, and the version after which."""
Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]


class StreamLoader:
    """Loads streams of a service's log by `fetch(query, *arguments)`. `close` at the end."""

    def __init__(self, service: str, fetch: Fetch) -> None:
        self._service = service
        self._fetch = fetch
        self._under_way = 0
        self._waiting: dict[Wanted, list[asyncio.Future[Sequence[Recorded]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self, stream: UUID, after: int) -> Sequence[Recorded]:
        """The events of a stream with a version above `after`, in order."""
        if self._under_way >= AT_ONCE:
            answer: asyncio.Future[Sequence[Recorded]] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault((stream, after), []).append(answer)
            return await answer
        self._under_way += 1
        try:
            return [Recorded(self._service, *row) for row in await self._fetch(LOAD, stream, after)]
        finally:
            self._ended()

    async def close(self) -> None:
        waiting, self._waiting = self._waiting, {}
        _fail(waiting, Unavailable("The service is stopping. Repeat this.", retry_after=1))
        await end(*self._tasks)

    def _ended(self) -> None:
        """A look has ended; begin the next for those who wait."""
        self._under_way -= 1
        wanted = [key for key, answers in self._waiting.items() if not all(answer.done() for answer in answers)]
        if wanted:
            batch = {key: self._waiting.pop(key) for key in wanted[:TOGETHER]}
            self._under_way += 1
            task = asyncio.create_task(self._load_together(batch), name="stream-loader")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._waiting.clear()  # all of them have gone

    async def _load_together(self, batch: dict[Wanted, list[asyncio.Future[Sequence[Recorded]]]]) -> None:
        try:
            found: dict[int, list[Recorded]] = defaultdict(list)
            for row in await self._fetch(LOAD_MANY, *map(list, zip(*batch, strict=True))):
                found[row[0]].append(Recorded(self._service, *row[1:]))
            for number, answers in enumerate(batch.values(), 1):
                for answer in answers:
                    if not answer.done():
                        answer.set_result(found[number])
        except Exception as error:  # each who asked hears of it
            _fail(batch, error)
        finally:
            # Without an answer only where this was cancelled, which closing does.
            _fail(batch, Unavailable("The service is stopping. Repeat this.", retry_after=1))
            self._ended()


def _fail(batch: dict[Wanted, list[asyncio.Future[Sequence[Recorded]]]], error: Exception) -> None:
    for answers in batch.values():
        for answer in answers:
            if not answer.done():
                answer.set_exception(error)
