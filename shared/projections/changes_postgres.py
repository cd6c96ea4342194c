"""A batch of changes in PostgreSQL: tables follow in one order and rows in the order of their keys.

So workers do not deadlock often. What the tables refuse, they refuse at every try.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import Driver, Held, ends_with_database
from shared.projections import sql as view_sql
from shared.projections.member_sets import Member, Ordinals, members_of, write_sets
from shared.projections.merge import Merged, TableChanges
from shared.projections.store import Unwritable, WatermarkConflict, reason

QUICKLY = "set synchronous_commit = off"
"""Said once to each connection: a commit is seen by all at once, and is on the disk within some tenths of a second."""

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


class PostgresChanges:
    """The part of a `PostgresReadModelStore` that has the connections and writes the tables."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        connections: int = 4,
        wait_for_disk: bool = True,
        issued: Callable[[], None] = lambda: None,
    ) -> None:
        self._held = Held(engine, connections, None if wait_for_disk else QUICKLY)
        self._issued = issued
        self._ordinals = Ordinals()
        ends_with_database(engine, self._ordinals.forget)

    async def close(self) -> None:
        await self._held.close()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Driver]:
        failed: Exception | None = None
        async with self._held.borrow() as connection:
            try:
                async with connection.transaction():
                    yield connection
            except (WatermarkConflict, *REFUSED) as error:
                failed = error  # raised below: it says nothing against the connection
        if isinstance(failed, WatermarkConflict):
            raise failed
        if failed is not None:
            raise Unwritable(reason(failed)) from failed

    async def _apply(self, connection: Driver, changes: Mapping[str, Merged]) -> Mapping[Member, int]:
        members = members_of(changes.values())
        ordinals = await self._ordinals.of(connection, members) if members else {}
        tables = [(table, generation) for generation, merged in changes.items() for table in merged]
        for table, generation in sorted(tables, key=_least_shared_first):
            await _write_table(connection, table, generation, changes[generation][table], ordinals)
        return ordinals


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
