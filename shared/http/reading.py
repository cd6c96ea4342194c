"""A read holds a connection for as long as a statement takes, so nobody waits for a second with one in hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads the service's own database. Each statement sees what is committed then, on any of the connections."""

    engine: AsyncEngine

    async def execute(self, statement: sa.Executable) -> sa.Result[Any]:
        """All rows of a question; the connection is given back before they are."""
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            rows: sa.Result[Any] = (await connection.execute(statement)).freeze()()
        return rows
