"""Group append: requests that wait go together in one transaction, and each has its answer once it is committed.

It is one statement, unless a request has guards or replaces words (`guards.py`). Beside it: a partition whose lock does
not come (`held_up.py`), a batch that failed (`retry.py`), what became of an append in doubt (`lookup.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import asyncpg
from prometheus_client import Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.cancellation import end
from shared.db import GIVEN_UP, Driver, Held
from shared.log.claims import places
from shared.log.guards import insert_guarded
from shared.log.held_up import HeldUpPartitions
from shared.log.lookup import LOST, give_up, is_as_made, refuse, still_open, with_used_keys
from shared.log.port import Append, Position, partition_of
from shared.log.queue import Pending, Queue
from shared.log.retry import Retries
from shared.log.sql import NotTaken
from shared.log.together import independent

COMMITS = Histogram(
    "guildhall_log_append_seconds",
    "Time of one of the writer's transactions, which holds all the appends that waited.",
    ["service"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
EVENTS = Counter("guildhall_log_events", "Events that this process appended.", ["service"])


class LogWriter:
    """Writes what is `put`. `start` before use, `close` at the end.

    `batch` is the number of events that go together; functions in `appended` are called after every commit.
    """

    def __init__(
        self, engine: AsyncEngine, service: str, partitions: int, batch: int, appended: Sequence[Callable[[], None]]
    ) -> None:
        self._service = service
        self._partitions = partitions
        self._appended = appended
        self._as_made = False
        """Whether the database is known to have the partitions that are written to."""
        self._queue = Queue()
        self._retries = Retries(service, batch)
        self._held_up = HeldUpPartitions(engine, service, self._queue, self._retries, self._write_batch)
        self._task: asyncio.Task[None] | None = None
        self._commits, self._events = COMMITS.labels(service), EVENTS.labels(service)

    def start(self) -> None:
        self._task = asyncio.create_task(self._write(), name=f"log-writer-{self._service}")

    async def close(self) -> None:
        if self._task is not None:
            await end(self._task)
        await self._held_up.close()
        self._queue.close()

    def put(self, request: Append) -> asyncio.Future[list[Position]]:
        """Queue a request. The future gets the positions of its events, or what `Log.append` raises."""
        answer: asyncio.Future[list[Position]] = asyncio.get_running_loop().create_future()
        partitions = [partition_of(write.stream, self._partitions) for write in request.writes]
        rests_on = [*(guard.stream for guard in request.guards), *places(request)]
        locks = frozenset([*partitions, *(partition_of(each, self._partitions) for each in rests_on)])
        size = sum(len(write.events) for write in request.writes)
        self._held_up.route(Pending(request, answer, partitions, locks, size))
        return answer

    async def _write(self) -> None:
        """Write what waits, again and again."""
        while True:
            async with self._retries.batch(self._queue) as batch:
                try:
                    await self._write_batch(self._held_up.brief, batch)
                except asyncpg.LockNotAvailableError:
                    await self._held_up.set_aside(batch)

    async def _write_batch(self, connections: Held, batch: Sequence[Pending]) -> None:
        began = time.perf_counter()
        async with connections.borrow() as connection:
            if not self._as_made:
                self._as_made = await is_as_made(connection, self._service, self._partitions, batch)
                if not self._as_made:
                    return
            await self._try_together(connection, await still_open(connection, batch))
        self._commits.observe(time.perf_counter() - began)
        for wake in self._appended:
            wake()

    async def _try_together(self, connection: Driver, batch: Sequence[Pending]) -> None:
        """Write them in one transaction, or, where one of them cannot be, each in its own."""
        together, apart = independent(batch)
        await self._try(connection, together)
        for pending in apart:
            await self._try(connection, [pending])

    async def _try(self, connection: Driver, batch: Sequence[Pending]) -> None:
        if not batch:
            return
        try:
            written, positions = await insert_guarded(connection, batch)
        except (asyncpg.LockNotAvailableError, *LOST):
            raise
        except GIVEN_UP as error:
            give_up(batch, error)
        except (NotTaken, asyncpg.PostgresError) as error:
            if len(batch) > 1:
                if used := await with_used_keys(connection, batch, error):
                    await self._try(connection, [pending for pending in batch if pending not in used])
                    batch = used
                for pending in batch:
                    if not pending.answer.done():
                        await self._try(connection, [pending])
                return
            await refuse(connection, batch[0], error)
        else:
            self._retries.taken()
            self._events.inc(sum(map(len, positions)))
            for pending, where in zip(written, positions, strict=True):
                pending.resolve(where)
