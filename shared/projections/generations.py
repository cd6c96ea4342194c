"""A view's second generation of tables: made beside the live one, and put in its place without stopping reads."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import Driver
from shared.projections.read_model import ReadModel
from shared.projections.sql import quoted

SUFFIX = "__next"
NEXT = "@next"
"""End the names of the tables, and of the view, of a second generation, which is filled beside the live one."""
_GONE = "__gone"
_preparer = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]


def following(view: ReadModel) -> ReadModel:
    """The same view, written to its second generation of tables."""
    return ReadModel(view.name + NEXT, view.tables, view.fold, SUFFIX)


async def make(engine: AsyncEngine, view: ReadModel) -> None:
    """Empty tables like the live ones, with the same indexes; what an interrupted rebuild left is removed first."""
    async with engine.begin() as connection:
        for table in view.tables:
            await connection.execute(sa.text(f"drop table if exists {quoted(table.name + SUFFIX)}"))
        for kernel in ("watermark", "parked"):
            await connection.execute(
                sa.text(f"delete from {kernel} where view = :view"),  # noqa: S608 - our own names
                {"view": following(view).name},
            )
        copies = sa.MetaData(naming_convention=view.tables[0].metadata.naming_convention)
        for table in view.tables:
            copy = table.to_metadata(copies, name=table.name + SUFFIX)
            names = {_what(index): _name(index) for index in table.indexes}
            copy.primary_key.name = sa.sql.quoted_name(_key(table) + SUFFIX, None)
            for index in copy.indexes:
                index.name = sa.sql.quoted_name(names[_what(index)] + SUFFIX, None)
        await connection.run_sync(copies.create_all)


async def take_over(connection: Driver, view: ReadModel) -> None:
    """Let the two generations change names, within the transaction that holds the live one's watermarks still.

    Whoever reads goes on with the new tables; whoever writes the live view finds its watermarks' tokens changed and
    loads anew. What was live is `…__next` afterwards, to be dropped.
    """
    nxt = following(view).name
    for table in view.tables:
        indexes = [_key(table), *(_name(index) for index in table.indexes)]
        for kind, names in (("table", [table.name]), ("index", indexes)):
            for name in names:
                for old, new in ((name, name + _GONE), (name + SUFFIX, name), (name + _GONE, name + SUFFIX)):
                    await connection.execute(f"alter {kind} {quoted(old)} rename to {quoted(new)}")
    await connection.execute("update watermark set moved_at = now() where view = $1", view.name)
    await connection.execute("delete from watermark where view = $1", nxt)
    await connection.execute("delete from parked where view = $1", view.name)
    await connection.execute("update parked set view = $1 where view = $2", view.name, nxt)


async def remove(connection: Driver, view: ReadModel) -> None:
    """Drop the second generation."""
    for table in view.tables:
        await connection.execute(f"drop table if exists {quoted(table.name + SUFFIX)}")
    for kernel in ("watermark", "parked"):
        await connection.execute(f"delete from {kernel} where view = $1", following(view).name)  # noqa: S608 - our names


def _what(index: sa.Index) -> str:
    """The columns of an index and the rows it is of: what tells it from the others of its table."""
    columns = ", ".join(str(getattr(expression, "name", expression)) for expression in index.expressions)
    return f"{columns} where {index.dialect_options['postgresql']['where']}"


def _key(table: sa.Table) -> str:
    """The name of the primary key, which is its index's too."""
    return str(_preparer.format_constraint(table.primary_key)).strip('"')


def _name(index: sa.Index) -> str:
    return str(_preparer.format_index(index)).strip('"')
