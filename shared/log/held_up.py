"""A partition that is held up holds up no other.

Where a partition's lock does not come at once, the requests for it go to a queue of their own, written by a connection
that waits for the lock, until it comes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import structlog
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.cancellation import end
from shared.db import Held
from shared.log.lookup import give_up
from shared.log.queue import Pending, Queue
from shared.log.retry import Retries

BRIEFLY = (10, 320)
"""Milliseconds that requests of all partitions wait for a lock: longer than one that writes holds it, too short to be
noticed. The first figure, doubled up to the second while it turns out that commits are just slow."""
STALL = 1.0
"""Seconds from which a partition counts as held up, and not as one that others write to slowly."""
BRIEF, WAITING = 1, 2
"""Connections for all partitions and for those that are held up; there the engine's own lock time-out counts."""

FREE = "select id from log_partition where id = any($1::smallint[]) for update skip locked"
WAIT = "select from log_partition where id = $1 for update"

HELD_UP = Gauge(
    "guildhall_log_held_up_partitions", "Partitions whose lock does not come, as this process sees it.", ["service"]
)


Write = Callable[[Held, Sequence[Pending]], Awaitable[None]]

_logger = structlog.get_logger(__name__)


class HeldUpPartitions:
    """Queues of the partitions whose lock did not come at once, beside the `common` one; `write` writes a batch.

    `brief` is the connection for all partitions, on which a lock is waited for briefly.
    """

    def __init__(self, engine: AsyncEngine, service: str, common: Queue, retries: Retries, write: Write) -> None:
        self._service = service
        self._common = common
        self._retries = retries
        self._write = write
        self._queues: dict[int, Queue] = {}
        self._briefly = BRIEFLY[0]
        self._slow = False
        """Whether the last partition that was set aside was only written to slowly."""
        self.brief = Held(engine, BRIEF, _wait_for(self._briefly))
        self._waiting = Held(engine, WAITING)
        self._tasks: set[asyncio.Task[None]] = set()
        HELD_UP.labels(service).set_function(lambda: len(self._queues))

    def route(self, pending: Pending) -> None:
        """Put a request where it waits."""
        held_up = [queue for partition, queue in self._queues.items() if partition in pending.locks]
        (held_up[0] if held_up else self._common).put(pending)

    async def close(self) -> None:
        """End what waits here; the common queue is its owner's."""
        await end(*self._tasks)
        for queue in self._queues.values():
            queue.close()
        await self.brief.close()
        await self._waiting.close()

    async def _wait_for_lock(self, partition: int, queue: Queue) -> None:
        """Write what waits for a partition that is held up, until it is free."""
        began, written = time.monotonic(), False
        while not written:
            async with self._retries.batch(queue) as batch:
                try:
                    async with self._waiting.borrow() as connection:
                        # First alone: a request for several partitions holds no other while it waits for this one.
                        await connection.execute(WAIT, partition)
                    self._slow = time.monotonic() - began < STALL
                    await self._write(self._waiting, batch)
                    written = True
                except asyncpg.LockNotAvailableError as error:
                    give_up(batch, error)
        del self._queues[partition]
        for pending in queue.take_now():
            self.route(pending)
        _logger.info("partition is free", service=self._service, partition=partition)

    async def set_aside(self, batch: Sequence[Pending]) -> None:
        """A lock did not come: give the partitions that are not free queues of their own, and all requests theirs."""
        concerned = {partition for pending in batch for partition in pending.locks}
        async with self.brief.borrow() as connection:
            free = {row["id"] for row in await connection.fetch(FREE, list(concerned))}
            self._briefly = min(self._briefly * 2, BRIEFLY[1]) if self._slow else BRIEFLY[0]
            await connection.execute(_wait_for(self._briefly))
        for partition in sorted(concerned - free or concerned):  # all free by now: whatever it was, wait for it
            _logger.warning("partition is held up", service=self._service, partition=partition)
            queue = self._queues[partition] = Queue()
            task = asyncio.create_task(
                self._wait_for_lock(partition, queue), name=f"log-writer-{self._service}-{partition}"
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        for pending in (*batch, *self._common.take_now()):
            self.route(pending)


def _wait_for(milliseconds: int) -> str:
    return f"set lock_timeout = {milliseconds}"
