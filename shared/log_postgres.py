"""The log in PostgreSQL: a position is given inside the transaction that writes the event, so none is ever missing.

Appends that wait go together in one statement. It locks the rows of the partitions concerned in id order, moves
each position by what it takes, and inserts the events; the locks are held to the commit, so positions appear in
commit order and a reader may trust `position > mine`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import Driver, Held
from shared.errors import Unavailable
from shared.event import Recorded
from shared.log import Append, Position, VersionConflict, partition_of

ONE = """
with ticket as (
    update log_partition set position = position + 1 where id = $1 returning position
)
insert into log (partition, position, stream, version, type, id, community, actor, occurred_at, causation, data)
select $1, position, $2, $3, $4, $5, $6, $7, $8, $9, $10 from ticket
returning position
"""

MANY = """
with wanted as (
    select *, row_number() over (partition by partition order by n) as k
    from unnest($1::smallint[], $2::uuid[], $3::int[], $4::text[], $5::uuid[], $6::uuid[], $7::uuid[],
                $8::timestamptz[], $9::uuid[], $10::bytea[]) with ordinality
      as u(partition, stream, version, type, id, community, actor, occurred_at, causation, data, n)
), locked as (
    select p.id from log_partition p where p.id in (select partition from wanted) order by p.id for update
), ticket as (
    update log_partition p set position = p.position + w.events
    from (select partition, count(*) as events from wanted group by partition) w,
         (select count(*) from locked) as all_locked
    where p.id = w.partition
    returning p.id, p.position - w.events as base
), kept as (
    insert into vault (community, ref, subject, content)
    select * from unnest($11::uuid[], $12::uuid[], $13::uuid[], $14::bytea[])
    on conflict (community, ref) do nothing
), written as (
    insert into log (partition, position, stream, version, type, id, community, actor, occurred_at, causation, data)
    select w.partition, t.base + w.k, w.stream, w.version, w.type, w.id, w.community, w.actor, w.occurred_at,
           w.causation, w.data
    from wanted w join ticket t on t.id = w.partition
)
select id, base from ticket
"""

COLUMNS = "partition, position, stream, version, type, id, community, actor, occurred_at, recorded_at, causation, data"
LOAD = f"select {COLUMNS} from log where stream = $1 and version > $2 order by version"  # noqa: S608 - our own words
FOLLOW = f"select {COLUMNS} from log where partition = $1 and position > $2 order by position limit $3"  # noqa: S608
WRITTEN = "select id, partition, position from log where stream = $1 and version > $2 order by version limit $3"
HEADS = "select position from log_partition order by id"

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""The connection broke: what was under way may or may not have been committed."""
REFUSED = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.TransactionTimeoutError)
"""The store gave up on it: nothing was committed."""

_logger = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Pending:
    request: Append
    answer: asyncio.Future[list[Position]]
    doubtful: bool = False
    """True once a try has ended without our knowing how; it is looked up before it is tried again."""
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = sum(len(write.events) for write in self.request.writes)

    def resolve(self, positions: list[Position]) -> None:
        if not self.answer.done():
            self.answer.set_result(positions)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class PostgresLog:
    """Implements `Log`. `start` before use, `close` at the end.

    `deadline` bounds an append in seconds, `batch` the events that go together. Functions in `appended` are called
    after every commit, so that a relay or a reader in this process need not wait for its next look.
    """

    def __init__(
        self, engine: AsyncEngine, service: str, partitions: int = 12, *, deadline: float = 4.0, batch: int = 512
    ) -> None:
        self.service = service
        self.partitions = partitions
        self.appended: list[Callable[[], None]] = []
        self._deadline = deadline
        self._batch = batch
        self._waiting: deque[_Pending] = deque()
        self._work = asyncio.Event()
        self._writer = Held(engine, 1)
        self._readers = Held(engine, 3)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._write(), name=f"log-writer-{self.service}")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        while self._waiting:
            self._waiting.popleft().fail(Unavailable("The service is stopping. Repeat this.", retry_after=1))
        await self._writer.close()
        await self._readers.close()

    async def append(self, request: Append) -> list[Position]:
        pending = _Pending(request, asyncio.get_running_loop().create_future())
        self._waiting.append(pending)
        self._work.set()
        try:
            async with asyncio.timeout(self._deadline):
                return await pending.answer
        except TimeoutError:
            raise Unavailable(
                "The log did not answer in time. It is not known whether this was written; repeat it.", retry_after=1
            ) from None

    async def load(self, stream: object, after: int = 0) -> Sequence[Recorded]:
        return [Recorded(self.service, *row) for row in await self._fetch(LOAD, stream, after)]

    async def follow(self, partition: int, after: int, limit: int) -> Sequence[Recorded]:
        return [Recorded(self.service, *row) for row in await self._fetch(FOLLOW, partition, after, limit)]

    async def heads(self) -> list[int]:
        return [row["position"] for row in await self._fetch(HEADS)]

    async def _fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        try:
            async with asyncio.timeout(self._deadline), self._readers.borrow() as connection:
                return await connection.fetch(query, *arguments)
        except (TimeoutError, SQLAlchemyError, *LOST, *REFUSED) as error:
            raise Unavailable("The log does not answer. Try again shortly.", retry_after=1) from error

    async def _write(self) -> None:
        """Take what waits, write it, again; only this task touches the writing connection."""
        while True:
            await self._work.wait()
            batch = self._take()
            if not batch:
                self._work.clear()
                continue
            try:
                await self._write_batch(batch)
            except asyncio.CancelledError:
                self._waiting.extendleft(reversed(batch))
                raise
            except Exception as error:  # whatever breaks a driver, this task goes on: all appends depend on it
                await self._back_off(batch, error)

    def _take(self) -> list[_Pending]:
        batch, size = [], 0
        while self._waiting and size < self._batch:
            pending = self._waiting.popleft()
            if not pending.answer.done():
                batch.append(pending)
                size += pending.size
        return batch

    async def _back_off(self, batch: list[_Pending], error: Exception) -> None:
        """Keep what may still be answered; whether it was written is looked up first next time."""
        _logger.warning("log connection lost", service=self.service, error=type(error).__name__)
        for pending in reversed(batch):
            if not pending.answer.done():
                pending.doubtful = True
                self._waiting.appendleft(pending)
        await asyncio.sleep(0.05)

    async def _write_batch(self, batch: list[_Pending]) -> None:
        async with self._writer.borrow() as connection:
            fresh = []
            for pending in batch:
                if pending.doubtful and (found := await _find(connection, pending.request)):
                    pending.resolve(found)
                else:
                    fresh.append(pending)
            await self._try_together(connection, fresh)
        for wake in self.appended:
            wake()

    async def _try_together(self, connection: Driver, batch: list[_Pending]) -> None:
        """Write them in one transaction, or, where one of them cannot be, each in its own."""
        if not batch:
            return
        try:
            positions = await _insert(connection, batch, self.partitions)
        except REFUSED as error:
            for pending in batch:
                pending.fail(Unavailable("The log is held up. Try again shortly.", retry_after=1))
            _logger.warning("log held up", service=self.service, error=type(error).__name__)
        except asyncpg.PostgresConnectionError:
            raise
        except asyncpg.PostgresError as error:
            if isinstance(error, LOST):
                raise
            if len(batch) > 1:
                for pending in batch:
                    await self._try_together(connection, [pending])
                return
            await self._refuse(connection, batch[0], error)
        else:
            for pending, where in zip(batch, positions, strict=True):
                pending.resolve(where)

    async def _refuse(self, connection: Driver, pending: _Pending, error: asyncpg.PostgresError) -> None:
        if not isinstance(error, asyncpg.UniqueViolationError):
            pending.fail(error)
        elif found := await _find(connection, pending.request):
            pending.resolve(found)
        else:
            pending.fail(VersionConflict(str(pending.request.writes[0].stream)))


async def _find(connection: Driver, request: Append) -> list[Position] | None:
    """Where an earlier try of this request stands, or None when it was never written."""
    positions: list[Position] = []
    for write in request.writes:
        rows = await connection.fetch(WRITTEN, write.stream, write.expected, len(write.events))
        if [row["id"] for row in rows] != [event.id for event in write.events]:
            return None
        positions += [Position(row["partition"], row["position"]) for row in rows]
    return positions


async def _insert(connection: Driver, batch: list[_Pending], partitions: int) -> list[list[Position]]:
    """One statement, one transaction; the positions of each request's events in their order."""
    rows: list[tuple[Any, ...]] = []
    secrets: list[tuple[Any, ...]] = []
    for pending in batch:
        request = pending.request
        secrets += [(s.community, s.ref, s.subject, s.content) for s in request.secrets]
        for write in request.writes:
            partition = partition_of(write.stream, partitions)
            rows += [
                (
                    partition,
                    write.stream,
                    write.expected + index,
                    event.type,
                    event.id,
                    request.community,
                    request.actor,
                    request.occurred_at,
                    request.causation,
                    event.data,
                )
                for index, event in enumerate(write.events, 1)
            ]
    if len(rows) == 1 and not secrets:
        position = await connection.fetchval(ONE, *rows[0])
        return [[Position(rows[0][0], position)]]
    columns = list(zip(*rows, strict=True))
    vault = list(zip(*secrets, strict=True)) or [()] * 4
    next_position = defaultdict[int, int](int)
    for row in await connection.fetch(MANY, *columns, *vault):
        next_position[row["id"]] = row["base"]
    answers = []
    events = iter(rows)
    for pending in batch:
        where = []
        for _ in range(pending.size):
            partition = next(events)[0]
            next_position[partition] += 1
            where.append(Position(partition, next_position[partition]))
        answers.append(where)
    return answers
