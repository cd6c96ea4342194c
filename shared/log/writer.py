"""Group append: requests that wait go together in one statement, and a partition that is held up holds up no other.

Where a partition's lock does not come at once, the requests for it go to a queue of their own, written by a connection
that waits for the lock, until it comes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import Driver, Held
from shared.errors import Unavailable
from shared.log.port import Append, Position, VersionConflict, partition_of
from shared.log.queue import Pending, Queue
from shared.log.sql import FREE, HEADS, WAIT, find, insert, moved_on
from shared.tasks import attempt, end

BRIEFLY = (10, 320)
"""Milliseconds that requests of all partitions wait for a lock: longer than one that writes holds it, too short to be
noticed. The first figure, doubled up to the second while it turns out that commits are just slow."""
STALL = 1.0
"""Seconds from which a partition counts as held up, and not as one that others write to slowly."""
BRIEF, PATIENT = 1, 2
"""Connections for all partitions and for those that are held up; there the engine's own lock time-out counts."""

VERSIONS = "uq_log_stream_version"
"""The constraint that decides who was first; any other that is violated means a log that was restored in parts."""

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""The connection broke: what was under way may or may not have been committed."""
GIVEN_UP = (asyncpg.DeadlockDetectedError, asyncpg.TransactionTimeoutError)
"""The store gave up on it: nothing was committed."""

COMMITS = Histogram(
    "guildhall_log_append_seconds",
    "Time of one of the writer's transactions, which holds all the appends that waited.",
    ["service"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
EVENTS = Counter("guildhall_log_events", "Events that this process appended.", ["service"])
HELD_UP = Gauge(
    "guildhall_log_held_up_partitions", "Partitions whose lock does not come, as this process sees it.", ["service"]
)

_logger = structlog.get_logger(__name__)


class LogWriter:
    """Writes what is `put`. `start` before use, `close` at the end.

    `batch` is the number of events that go together; functions in `appended` are called after every commit.
    """

    def __init__(
        self, engine: AsyncEngine, service: str, partitions: int, batch: int, appended: Sequence[Callable[[], None]]
    ) -> None:
        self._service = service
        self._partitions = partitions
        self._batch = batch
        self._appended = appended
        self._common = Queue()
        self._held_up: dict[int, Queue] = {}
        """Partitions whose lock did not come at once."""
        self._as_made = False
        """Whether the database is known to have the partitions that are written to."""
        self._briefly = BRIEFLY[0]
        self._slow = False
        """Whether the last partition that was set aside was only written to slowly."""
        self._brief = Held(engine, BRIEF, _wait_for(self._briefly))
        self._patient = Held(engine, PATIENT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._commits, self._events = COMMITS.labels(service), EVENTS.labels(service)
        HELD_UP.labels(service).set_function(lambda: len(self._held_up))

    def start(self) -> None:
        self._begin(self._write(), f"log-writer-{self._service}")

    async def close(self) -> None:
        await end(*self._tasks)
        for queue in (self._common, *self._held_up.values()):
            for pending in queue.take_now():
                pending.fail(Unavailable("The service is stopping. Repeat this.", retry_after=1))
        await self._brief.close()
        await self._patient.close()

    def put(self, request: Append) -> asyncio.Future[list[Position]]:
        """The answer to come."""
        answer: asyncio.Future[list[Position]] = asyncio.get_running_loop().create_future()
        partitions = [partition_of(write.stream, self._partitions) for write in request.writes]
        locks = frozenset([*partitions, *(partition_of(guard.stream, self._partitions) for guard in request.guards)])
        self._route(Pending(request, answer, partitions, locks, sum(len(write.events) for write in request.writes)))
        return answer

    def _route(self, pending: Pending) -> None:
        held_up = [queue for partition, queue in self._held_up.items() if partition in pending.locks]
        (held_up[0] if held_up else self._common).put(pending)

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self) -> None:
        """Write what waits, again and again."""
        while True:
            async with self._next(self._common) as batch:
                try:
                    await self._write_batch(self._brief, batch)
                except asyncpg.LockNotAvailableError:
                    await self._set_aside(batch)

    async def _write_to(self, partition: int, queue: Queue) -> None:
        """Write what waits for a partition that is held up, until it is free."""
        began, written = time.monotonic(), False
        while not written:
            async with self._next(queue) as batch:
                try:
                    async with self._patient.borrow() as connection:
                        # First alone: a request for several partitions holds no other while it waits for this one.
                        await connection.execute(WAIT, partition)
                    self._slow = time.monotonic() - began < STALL
                    await self._write_batch(self._patient, batch)
                    written = True
                except asyncpg.LockNotAvailableError as error:
                    _fail(batch, error)
        del self._held_up[partition]
        for pending in queue.take_now():
            self._route(pending)
        _logger.info("partition is free", service=self._service, partition=partition)

    async def _set_aside(self, batch: Sequence[Pending]) -> None:
        """A lock did not come: give the partitions that are not free queues of their own, and all requests theirs."""
        concerned = {partition for pending in batch for partition in pending.locks}
        async with self._brief.borrow() as connection:
            free = {row["id"] for row in await connection.fetch(FREE, list(concerned))}
            self._briefly = min(self._briefly * 2, BRIEFLY[1]) if self._slow else BRIEFLY[0]
            await connection.execute(_wait_for(self._briefly))
        for partition in sorted(concerned - free or concerned):  # all free by now: whatever it was, be patient
            _logger.warning("partition is held up", service=self._service, partition=partition)
            queue = self._held_up[partition] = Queue()
            self._begin(self._write_to(partition, queue), f"log-writer-{self._service}-{partition}")
        for pending in (*batch, *self._common.take_now()):
            self._route(pending)

    @asynccontextmanager
    async def _next(self, queue: Queue) -> AsyncIterator[list[Pending]]:
        """A batch to write. Whatever goes wrong meanwhile, it waits again, to be looked up before another try."""
        batch = await queue.take(self._batch)
        try:
            with attempt():
                yield batch
        except asyncio.CancelledError:
            queue.put_back(batch)
            raise
        except Exception as error:  # whatever breaks a driver, the task goes on: all appends depend on it
            _logger.warning("log connection lost", service=self._service, error=type(error).__name__)
            for pending in batch:
                pending.doubtful = True
            queue.put_back(batch)
            await asyncio.sleep(0.05)

    async def _write_batch(self, connections: Held, batch: Sequence[Pending]) -> None:
        began = time.perf_counter()
        async with connections.borrow() as connection:
            if not self._as_made and not await self._is_as_made(connection, batch):
                return
            fresh = []
            for pending in batch:
                if pending.doubtful and (found := await find(connection, pending.request)):
                    pending.resolve(found)
                else:
                    fresh.append(pending)
            await self._try_together(connection, fresh)
        self._commits.observe(time.perf_counter() - began)
        for wake in self._appended:
            wake()

    async def _is_as_made(self, connection: Driver, batch: Sequence[Pending]) -> bool:
        """Whether the log has these partitions. With another number a stream's events would be torn apart for good."""
        partitions = len(await connection.fetch(HEADS))
        self._as_made = partitions == self._partitions
        if not self._as_made:
            _logger.error("log was made with other partitions", service=self._service, partitions=partitions)
            for pending in batch:
                pending.fail(
                    Unavailable(
                        f"The log of {self._service} was made with {partitions} partitions and this process was told "
                        f"{self._partitions}. Nothing is written. Set GUILDHALL_PARTITIONS={partitions}."
                    )
                )
        return self._as_made

    async def _try_together(self, connection: Driver, batch: Sequence[Pending]) -> None:
        """Write them in one transaction, or, where one of them cannot be, each in its own."""
        together, apart = _independent(batch)
        await self._try(connection, together)
        for pending in apart:
            await self._try(connection, [pending])

    async def _try(self, connection: Driver, batch: Sequence[Pending]) -> None:
        if not batch:
            return
        try:
            written, positions = await _insert(connection, batch)
        except (asyncpg.LockNotAvailableError, *LOST):
            raise
        except GIVEN_UP as error:
            _fail(batch, error)
        except asyncpg.PostgresError as error:
            if len(batch) > 1:
                for pending in batch:
                    if not pending.answer.done():
                        await self._try(connection, [pending])
                return
            await _refuse(connection, batch[0], error)
        else:
            self._events.inc(sum(map(len, positions)))
            for pending, where in zip(written, positions, strict=True):
                pending.resolve(where)


def _wait_for(milliseconds: int) -> str:
    return f"set lock_timeout = {milliseconds}"


def _fail(batch: Sequence[Pending], error: asyncpg.PostgresError) -> None:
    _logger.warning("log held up", error=type(error).__name__, requests=len(batch))
    for pending in batch:
        pending.fail(Unavailable("The log is held up. Try again shortly.", retry_after=1))


def _independent(batch: Sequence[Pending]) -> tuple[list[Pending], list[Pending]]:
    """Those that may go into one transaction, and those that must come after it.

    Guards are looked at before anything is written, so two requests of which one writes what the other guards would
    both pass in one transaction, as if each had been first.
    """
    if not any(pending.request.guards for pending in batch):
        return list(batch), []
    together: list[Pending] = []
    apart: list[Pending] = []
    written: set[UUID] = set()
    guarded: set[UUID] = set()
    for pending in batch:
        writes = {write.stream for write in pending.request.writes}
        guards = {guard.stream for guard in pending.request.guards}
        if guards.isdisjoint(written) and writes.isdisjoint(guarded):
            written |= writes
            guarded |= guards
            together.append(pending)
        else:
            apart.append(pending)
    return together, apart


async def _insert(connection: Driver, batch: Sequence[Pending]) -> tuple[Sequence[Pending], list[list[Position]]]:
    """Write those whose guards hold; these, and where their events stand. The others are answered."""
    if not any(pending.request.guards for pending in batch):
        return batch, await insert(connection, [(pending.request, pending.partitions) for pending in batch])
    async with connection.transaction():
        locks = frozenset[int]().union(*(pending.locks for pending in batch))
        late = await moved_on(connection, [pending.request for pending in batch], locks)
        for pending in (batch[n] for n in late):
            if found := await find(connection, pending.request):
                pending.resolve(found)
            else:
                pending.fail(VersionConflict("a guarded stream"))
        held = [pending for n, pending in enumerate(batch) if n not in late]
        return held, await insert(connection, [(pending.request, pending.partitions) for pending in held])


async def _refuse(connection: Driver, pending: Pending, error: asyncpg.PostgresError) -> None:
    if not isinstance(error, asyncpg.UniqueViolationError):
        pending.fail(error)
    elif found := await find(connection, pending.request):
        pending.resolve(found)
    elif error.constraint_name == VERSIONS:
        pending.fail(VersionConflict(str(pending.request.writes[0].stream)))
    else:
        _logger.error("positions are given out twice", constraint=error.constraint_name, detail=str(error))
        pending.fail(Unavailable("The log is not as it should be: nothing is written. Run `guildhall doctor`."))
