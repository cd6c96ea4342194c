"""Read models in PostgreSQL: a batch is one short transaction, and the watermarks go first.

Watermarks are moved by compare-and-set, so a worker that was overtaken stops before it has written anything; then
tables follow in one order and rows in the order of their keys, so that workers do not deadlock often.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from pyroaring import BitMap
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import Driver, Held
from shared.reactions import Execute, no_orders
from shared.views import sql as view_sql
from shared.views.member_sets import DURABLY, Member, Ordinals, members_of, write_sets
from shared.views.merge import Merged, TableChanges
from shared.views.store import Batch, Overtaken, Parked, Refused, Retried, Retry, Watermark, carry_out_all, reason

PREPARE = """
insert into watermark (view, source, partition)
select v, $2, p from unnest($1::text[]) v, unnest($3::smallint[]) p on conflict do nothing
"""
WATERMARKS = """
select view, partition, position, kafka_offset, moved_at from watermark
where view = any($1::text[]) and source = $2 and partition = any($3::smallint[])
"""
MOVE = """
with step as (
    select * from unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::timestamptz[], $6::bigint[],
                         $7::bigint[], $8::timestamptz[])
      as u(view, source, partition, before, token, position, kafka_offset, recorded_at)
), locked as (
    select w.view from watermark w join step using (view, source, partition)
    order by w.view, w.source, w.partition for update of w
)
update watermark w
set position = s.position, kafka_offset = s.kafka_offset, moved_at = now(),
    caught_up_at = greatest(w.caught_up_at, least(s.recorded_at, now()))
from step s, (select count(*) from locked) as all_locked
where w.view = s.view and w.source = s.source and w.partition = s.partition
  and w.position = s.before and w.moved_at = s.token
returning w.moved_at
"""
CAUGHT_UP = """
update watermark w set caught_up_at = greatest(w.caught_up_at, now() - make_interval(secs => $5))
from unnest($3::smallint[], $4::bigint[]) as u(partition, position)
where w.view = any($1::text[]) and w.source = $2 and w.partition = u.partition and w.position >= u.position
"""
TOUCH = "update watermark set moved_at = now() where view = $1 and source = $2 and partition = $3"
PARK = """
insert into parked (view, source, partition, position, stream, type, reason, value)
select * from unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::uuid[], $6::text[], $7::text[],
                     $8::bytea[])
on conflict do nothing
"""
FIELDS = "view, source, partition, position, stream, type, reason, value, parked_at"
PARKED = f"""
select {FIELDS} from parked
where ($1::text is null or view = $1) and ($2::uuid is null or stream = $2)
  and ($3::text is null or (source, partition, position) = ($3, $4::smallint, $5::bigint))
order by view, source, partition, position limit $6
"""  # noqa: S608 - our own words
PARKED_WITH = f"""
select {FIELDS} from parked
where view = $1 and source = $2 and partition = $3 and (stream = $4 or position = $5)
order by position for update
"""  # noqa: S608 - our own words
QUICKLY = "set synchronous_commit = off"
"""Said once to each connection: a commit is seen by all at once, and is on the disk within some tenths of a second."""
UNPARK = "delete from parked where view = $1 and source = $2 and partition = $3 and position = any($4::bigint[])"
KEEP = """
update parked p set reason = u.reason, type = u.type, stream = u.stream
from unnest($4::bigint[], $5::text[], $6::text[], $7::uuid[]) as u(position, reason, type, stream)
where p.view = $1 and p.source = $2 and p.partition = $3 and p.position = u.position
"""

REFUSED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,  # also the driver's own "invalid input for query argument"
    TypeError,
    KeyError,
    AttributeError,
)
"""A value that does not fit: the same at every try."""


class PostgresViewStore:
    """Implements `ViewStore`. It keeps up to `connections` of the engine's for itself until it is closed.

    `execute` carries out the orders of reactions. With `wait_for_disk=False` batches do not wait for the disk at their
    commit. If PostgreSQL crashes the last of them are lost whole, rows and watermarks together, and are read again;
    what an operator was told stays true.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        connections: int = 4,
        wait_for_disk: bool = True,
        execute: Execute = no_orders,
    ) -> None:
        self._held = Held(engine, connections, None if wait_for_disk else QUICKLY)
        self._execute = execute
        self._ordinals = Ordinals()

    async def close(self) -> None:
        await self._held.close()

    async def watermarks(
        self, views: Sequence[str], source: str, partitions: Iterable[int]
    ) -> Mapping[tuple[str, int], Watermark]:
        wanted = list(partitions)
        async with self._held.borrow() as connection:
            rows = await connection.fetch(WATERMARKS, views, source, wanted)
            if len(rows) < len(views) * len(wanted):
                await connection.execute(PREPARE, views, source, wanted)
                rows = await connection.fetch(WATERMARKS, views, source, wanted)
        return {
            (row["view"], row["partition"]): Watermark(row["position"], row["kafka_offset"], row["moved_at"])
            for row in rows
        }

    async def positions(self, view: str) -> dict[tuple[str, int], int]:
        """Where a view stands, by source and partition; nothing is made."""
        async with self._held.borrow() as connection:
            rows = await connection.fetch("select source, partition, position from watermark where view = $1", view)
        return {(row["source"], row["partition"]): row["position"] for row in rows}

    async def write(self, batch: Batch) -> object:
        moves = [
            (m.view, m.source, m.partition, m.before.position, m.before.token, m.position, m.offset, m.recorded_at)
            for m in batch.moves
        ]
        await carry_out_all(self._execute, batch.orders)
        token: object = None
        ordinals: Mapping[Member, int] = {}
        async with self._transaction() as connection:
            if moves:
                moved = await connection.fetch(MOVE, *zip(*moves, strict=True))
                if len(moved) < len(moves):
                    raise Overtaken(f"{len(moves) - len(moved)} watermarks have moved")
                token = moved[0]["moved_at"]
            ordinals = await self._apply(connection, batch.changes)
            await _park(connection, batch.parked)
        self._ordinals.learn(ordinals)
        return token

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Driver]:
        failed: Exception | None = None
        async with self._held.borrow() as connection:
            try:
                async with connection.transaction():
                    yield connection
            except (Overtaken, *REFUSED) as error:
                failed = error  # raised below: it says nothing against the connection
        if isinstance(failed, Overtaken):
            raise failed
        if failed is not None:
            raise Refused(reason(failed)) from failed

    async def _apply(self, connection: Driver, changes: Mapping[str, Merged]) -> Mapping[Member, int]:
        members = members_of(changes.values())
        ordinals = await self._ordinals.of(connection, members) if members else {}
        tables = [(table, generation) for generation, merged in changes.items() for table in merged]
        for table, generation in sorted(tables, key=_least_shared_first):
            await _write_table(connection, table, generation, changes[generation][table], ordinals)
        return ordinals

    async def caught_up(self, views: Sequence[str], source: str, positions: Mapping[int, int], at: float) -> None:
        if positions:
            # now() is that of the transaction's beginning, which lies before the moment that is reckoned back from: so
            # what is noted is never later than `at`. Were it later, what came meanwhile would count as folded.
            async with self._held.borrow() as connection, connection.transaction():
                ago = time.monotonic() - at
                done = await connection.execute(
                    CAUGHT_UP, views, source, list(positions), list(positions.values()), ago
                )
            if done != f"UPDATE {len(views) * len(positions)}":
                raise Overtaken(f"not all watermarks of {source} are where they were")

    async def parked_streams(self, views: Sequence[str]) -> Mapping[str, Collection[UUID]]:
        streams: dict[str, set[UUID]] = {view: set() for view in views}
        query = "select distinct view, stream from parked where view = any($1::text[]) and stream is not null"
        async with self._held.borrow() as connection:
            for row in await connection.fetch(query, views):
                streams[row["view"]].add(row["stream"])
        return streams

    async def parked_counts(self, views: Sequence[str]) -> Mapping[str, int]:
        query = "select view, count(*) as n from parked where view = any($1::text[]) group by view"
        async with self._held.borrow() as connection:
            rows = await connection.fetch(query, views)
        return dict.fromkeys(views, 0) | {row["view"]: row["n"] for row in rows}

    async def parked(
        self,
        view: str | None = None,
        *,
        stream: UUID | None = None,
        position: tuple[str, int, int] | None = None,
        limit: int = 1_000,
    ) -> Sequence[Parked]:
        async with self._held.borrow() as connection:
            rows = await connection.fetch(PARKED, view, stream, *(position or (None, None, None)), limit)
        return [Parked(*row) for row in rows]

    async def replay(self, view: str, parked: Parked, generation: str, retry: Retry) -> Retried:
        where = (view, parked.source, parked.partition)
        async with self._transaction() as connection:
            await connection.execute(DURABLY)
            # A reader that takes this stream for parked waits here, finds its token old and loads anew.
            await connection.execute(TOUCH, *where)
            rows = await connection.fetch(PARKED_WITH, *where, parked.stream, parked.position)
            retried = retry([Parked(*row) for row in rows])
            # Within the transaction, for only here it is known which events they are of.
            await carry_out_all(self._execute, retried.orders)
            ordinals = await self._apply(connection, {generation: retried.changes})
            await connection.execute(UNPARK, *where, [each.position for each in retried.folded])
            kept = [(each.position, each.reason, each.type, each.stream) for each in retried.kept]
            if kept:
                await connection.execute(KEEP, *where, *zip(*kept, strict=True))
        self._ordinals.learn(ordinals)
        return retried

    async def dismiss(self, note: Parked) -> bool:
        if note.position > 0:
            return False
        async with self._transaction() as connection:
            await connection.execute(DURABLY)
            done = await connection.execute(UNPARK, note.view, note.source, note.partition, [note.position])
        return done == "DELETE 1"

    async def rows(self, table: sa.Table, generation: str = "") -> list[dict[str, Any]]:
        name, sets = view_sql.quoted(table.name + generation), table.info["include"]
        keys = ", ".join(view_sql.quoted(key) for key in table.info["key"])
        async with self._held.borrow() as connection, connection.transaction(isolation="repeatable_read"):
            rows = await connection.fetch(f"select * from {name} order by {keys}")  # noqa: S608 - our own names
            dictionary = await connection.fetch("select community, ordinal, member from member_ordinal")
        members = {(row["community"], row["ordinal"]): row["member"] for row in dictionary}
        found = []
        for row in rows:
            values = dict(row)
            for column in sets:
                bitmap = BitMap.deserialize(values[column]) if values[column] else BitMap()
                values[column] = frozenset(members[values["community"], ordinal] for ordinal in bitmap)
            found.append(values)
        return found


def _least_shared_first(written: tuple[sa.Table, str]) -> tuple[int, str, str]:
    """The order in which tables are written, the same for all workers.

    The fewer columns a key has, the more events fall on one of its rows: what workers wait for comes last, so that
    it is locked for the shortest time.
    """
    table, generation = written
    return -len(table.info["key"]), table.name, generation


async def _write_table(
    connection: Driver, table: sa.Table, generation: str, changes: TableChanges, ordinals: Mapping[Member, int]
) -> None:
    if changes.adds:
        rows = view_sql.add_rows(table, changes.adds)
        statement = view_sql.add_statement(table, generation)
        await connection.execute(statement.sql, *statement.arguments(rows))
    if changes.puts:
        for columns, rows in view_sql.put_groups(changes.merged_puts()).items():
            statement = view_sql.put_statement(table, generation, columns)
            await connection.execute(statement.sql, *statement.arguments(rows))
    for column, sets in sorted(changes.includes.items()):
        await write_sets(connection, table, generation, column, sets, ordinals)


async def _park(connection: Driver, parked: Sequence[Parked]) -> None:
    rows = [(p.view, p.source, p.partition, p.position, p.stream, p.type, p.reason, p.value) for p in parked]
    if rows:
        await connection.execute(PARK, *zip(*rows, strict=True))
