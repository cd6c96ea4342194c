"""A read holds a connection for as long as a statement takes, so nobody waits for a second with one in hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


@dataclass(frozen=True, slots=True)
class Queries:
    """Reads the service's own database. Each statement sees what is committed then, on any of the connections."""

    engine: AsyncEngine

    async def execute(self, statement: sa.Executable) -> sa.Result[Any]:
        """All rows of a question; the connection is given back before they are."""
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            rows: sa.Result[Any] = (await connection.execute(statement)).freeze()()
        return rows

    async def count(self, column: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> int:
        """The number in that column of the one row, 0 where there is none."""
        return (await self.execute(sa.select(column).where(*where))).scalar_one_or_none() or 0

    @asynccontextmanager
    async def at_once(self) -> AsyncIterator[Queries]:
        """What reads everything as it is at one moment, for an answer whose parts must agree; a few short questions."""
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with connection.begin():
                yield _AtOnce(self.engine, connection)


@dataclass(frozen=True, slots=True)
class _AtOnce(Queries):
    connection: AsyncConnection

    async def execute(self, statement: sa.Executable) -> sa.Result[Any]:
        rows: sa.Result[Any] = (await self.connection.execute(statement)).freeze()()
        return rows
