"""What the tables of read models hold, of a store in memory or in PostgreSQL, so that tests can compare them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from pyroaring import BitMap

from shared.projections.sql import quoted
from shared.projections.store import ReadModelStore
from shared.projections.store_postgres import PostgresReadModelStore
from tests.doubles.view_store import MemoryReadModelStore


async def rows_of(store: ReadModelStore, table: sa.Table, generation: str = "") -> list[dict[str, Any]]:
    """All rows, ordered by key, with sets as frozensets of member ids."""
    if isinstance(store, MemoryReadModelStore):
        return await store.rows(table, generation)
    assert isinstance(store, PostgresReadModelStore)
    name, sets = quoted(table.name + generation), table.info["include"]
    keys = ", ".join(quoted(key) for key in table.info["key"])
    async with store._held.borrow() as connection, connection.transaction(isolation="repeatable_read"):
        rows = await connection.fetch(f"select * from {name} order by {keys}")
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
