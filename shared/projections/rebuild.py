"""Every number can be rebuilt: a view is filled anew beside the live one, compared with it, and takes its place.

The second generation never passes the live one. To compare them the live watermarks are held still for as long as
the second needs for the last few events; the checksums are then taken of a snapshot while both go on. The rename at
the end is one transaction of the same kind.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import cast

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.cancellation import end
from shared.db import Driver, driver
from shared.events.errors import Conflict, Unavailable
from shared.projections import generations
from shared.projections.checksums import Checksum, checksum, different_rows
from shared.projections.read_model import ReadModel
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.subscription.source import Source

NEAR = 2_000
"""Events behind the live view at which it is worth holding it still."""
HOLD = 1.5
"""Seconds it is held still at most, less than a writer waits for a lock; then it goes on, and it is tried again."""
TRIES = 20
LOOK = 0.1

HOLD_STILL = """
select source, partition, position from watermark where view = $1 order by source, partition for update
"""

OnProgress = Callable[[int, int], None]
"""Called with the events read so far, and those that the live view has read."""

Positions = Mapping[tuple[str, int], int]

POSITIONS = "select source, partition, position from watermark where view = $1"

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Compared:
    """A table of both generations; `different` counts the rows that are not the same in both."""

    table: str
    live: Checksum
    rebuilt: Checksum
    different: int

    @property
    def equal(self) -> bool:
        return self.live == self.rebuilt


@dataclass(frozen=True, slots=True)
class Report:
    """What a rebuild found, at which positions it compared, and whether the rebuilt view has taken over."""

    view: str
    tables: tuple[Compared, ...]
    positions: Mapping[str, Sequence[int]]
    parked: int
    taken_over: bool
    seconds: float

    @property
    def equal(self) -> bool:
        return all(table.equal for table in self.tables)


async def rebuild(
    view: ReadModel,
    engine: AsyncEngine,
    sources: Callable[[], Sequence[Source]],
    *,
    progress: OnProgress = lambda done, total: None,
    accept_difference: bool = False,
    take_over: bool = True,
) -> Report:
    """Rebuild a view while it is read and written, and put the new one in its place if both are equal.

    `sources` makes new sources for everything the view subscribes to. With `accept_difference` the new one takes over
    though it differs, which is what a corrected fold needs. Raises `Conflict` while another rebuild of this view is
    under way or for a process manager, and `Unavailable` when the two cannot be brought to equal positions.
    """
    if not view.tables:
        raise Conflict(f"{view.name} is a process manager: it keeps no rows that could be rebuilt.")
    began = time.monotonic()
    async with _connection(engine) as guard:
        if not await guard.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", f"rebuild:{view.name}"):
            raise Conflict(f"{view.name} is being rebuilt already.")
        await generations.make(engine, view)
        # What takes over is on the disk, because the transaction of the take-over waits for all before it.
        store = PostgresReadModelStore(engine, connections=2, wait_for_disk=False)
        work = _Rebuild(view, engine, store, sources, progress)
        try:
            positions, tables, parked = await work.compare()
            wanted = take_over and (accept_difference or all(table.equal for table in tables))
            if wanted:
                await work.take_over()
            await work.stop()
            await _clear(engine, view)
        finally:
            await work.stop()
            await store.close()
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                # The server learns of a connection's end a moment after it; until then the view would seem taken.
                await guard.execute("select pg_advisory_unlock_all()")
    by_source: dict[str, list[int]] = {}
    for (source, _), position in sorted(positions.items()):
        by_source.setdefault(source, []).append(position)
    report = Report(view.name, tuple(tables), by_source, parked, wanted, time.monotonic() - began)
    _logger.info("rebuilt", view=view.name, equal=report.equal, taken_over=wanted, seconds=round(report.seconds, 1))
    return report


class _Rebuild:
    def __init__(
        self,
        view: ReadModel,
        engine: AsyncEngine,
        store: PostgresReadModelStore,
        sources: Callable[[], Sequence[Source]],
        progress: OnProgress,
    ) -> None:
        self._view = view
        self._next = generations.following(view)
        self._engine = engine
        self._store = store
        self._sources = sources
        self._progress = progress
        self._reading: asyncio.Task[None] | None = None

    async def compare(self) -> tuple[Positions, list[Compared], int]:
        """Both generations as they were at one moment, at equal positions."""
        await self._catch_up()
        async with _connection(self._engine) as snapshot:
            async with self._level() as (_, positions):
                transaction = snapshot.transaction(isolation="repeatable_read", readonly=True)
                await transaction.start()
                parked = await snapshot.fetchval("select count(*) from parked where view = $1", self._next.name)
            # The live view goes on from here; the snapshot stays as it was.
            tables = [await self._compare(snapshot, name) for name in range(len(self._view.tables))]
            await transaction.rollback()
        return positions, tables, parked

    async def _compare(self, snapshot: Driver, index: int) -> Compared:
        table, generation = self._view.tables[index], self._next.generation
        live, rebuilt = await checksum(snapshot, table), await checksum(snapshot, table, generation)
        different = 0 if live == rebuilt else await different_rows(snapshot, table, "", generation)
        return Compared(table.name, live, rebuilt, different)

    async def take_over(self) -> None:
        for attempt in range(TRIES):
            await self._catch_up()
            try:
                async with self._level() as (connection, _):
                    await self.stop()
                    # A rename waits for the reads that are under way; those that come then wait for it, briefly.
                    await connection.execute("set local lock_timeout = '500ms'")
                    await generations.take_over(connection, self._view)
                return
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                await asyncio.sleep(0.2 * (attempt + 1))
        raise Unavailable(f"{self._view.name} is read without a pause: its tables could not be renamed.")

    @asynccontextmanager
    async def _level(self) -> AsyncIterator[tuple[Driver, Positions]]:
        """Hold the live view still at positions that the rebuilt one has reached too."""
        for _ in range(TRIES):
            async with _connection(self._engine) as connection, connection.transaction():
                live = await self._hold(connection)
                if live is not None:
                    yield connection, live
                    return
            await self._catch_up()
        raise Unavailable(f"{self._next.name} does not reach the positions of the live view.")

    async def _hold(self, connection: Driver) -> Positions | None:
        """Where the live view stands still and the rebuilt one has arrived; None when it did not come to that."""
        try:
            rows = await connection.fetch(HOLD_STILL, self._view.name)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            return None  # the live view is being written, and its own order of locks is another one
        live = {(row["source"], row["partition"]): row["position"] for row in rows}
        until = time.monotonic() + HOLD
        while time.monotonic() < until:
            if await self._positions(self._next) == live:
                return live
            await asyncio.sleep(0.01)
        return None

    async def _catch_up(self) -> None:
        """Read on until it is near the live view."""
        if self._reading is None:
            sources = self._sources()
            for source in sources:  # the live view may never have been read
                await self._store.watermarks([self._view.name], source.service, range(source.partitions))
            reader = ProjectionRunner([self._next], sources, self._store, limits=self._limits)
            self._reading = asyncio.create_task(reader.run(), name=f"rebuild-{self._view.name}")
        while True:
            if self._reading.done():
                self._reading.result()
            live, reached = await self._positions(self._view), await self._positions(self._next)
            done, total = sum(reached.values()), sum(live.values())
            self._progress(done, total)
            if total - done <= NEAR and reached.keys() == live.keys():
                return
            await asyncio.sleep(LOOK)

    async def _limits(self, source: str) -> Mapping[int, int]:
        live = await self._positions(self._view)
        return {partition: position for (name, partition), position in live.items() if name == source}

    async def _positions(self, view: ReadModel) -> dict[tuple[str, int], int]:
        """How far a view is, by source and partition; nothing is made."""
        async with driver(self._engine) as connection:
            rows = await connection.fetch(POSITIONS, view.name)
        return {(row["source"], row["partition"]): row["position"] for row in rows}

    async def stop(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            await end(reading)


async def _clear(engine: AsyncEngine, view: ReadModel) -> None:
    """What is left of the second generation goes; if a long read is in the way, the next rebuild sees to it."""
    try:
        async with _connection(engine) as connection:
            await generations.remove(connection, view)
    except asyncpg.LockNotAvailableError:
        _logger.warning("tables of the rebuild are still read; they are dropped at the next", view=view.name)


@asynccontextmanager
async def _connection(engine: AsyncEngine) -> AsyncIterator[Driver]:
    """A connection for statements as long as a table is large. It is not used again."""
    async with engine.connect() as connection:
        raw = cast("Driver", (await connection.get_raw_connection()).driver_connection)
        try:
            await raw.execute(
                "set statement_timeout = 0; set transaction_timeout = 0; set idle_in_transaction_session_timeout = 0"
            )
            yield raw
        finally:
            raw.terminate()
            await connection.invalidate()
