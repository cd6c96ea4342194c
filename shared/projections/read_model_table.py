"""The tables of read models: keyed by community first; rows that are put have a version, and leave a tombstone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa

NEVER = -(2**63)
"""The version of a row that was added to and never put."""


TIME = sa.DateTime(timezone=True)

Columns = Iterable[sa.Column[Any]] | Mapping[str, Any]
"""Columns, or the type of each by its name."""


def read_model_table(
    name: str,
    metadata: sa.MetaData,
    *,
    key: Columns,
    put: Columns = (),
    add: Iterable[str] = (),
    include: Iterable[str] = (),
    indexes: Iterable[sa.Index] = (),
) -> sa.Table:
    """A table for changes. `community` is its first key column, so that it can be distributed by it.

    `put` columns become nullable (an `add` may come first), `add` columns count from 0, `include` columns hold
    serialised roaring bitmaps of member ordinals. A table with `put` columns, or with none at all, gets `version`
    and `gone`; what reads it leaves out rows that are gone or were never put.
    """
    key = _columns(key)
    if key[0].name != "community":
        raise ValueError(f"{name}: the first key column is `community`")
    puts = _columns(put)
    for column in puts:
        column.nullable = True
    columns: list[sa.Column[Any]] = [*key, *puts]
    columns += [sa.Column(c, sa.BigInteger, nullable=False, server_default="0") for c in add]
    columns += [sa.Column(c, sa.LargeBinary, nullable=False, server_default="") for c in include]
    if puts or not (add or include):
        columns.append(sa.Column("version", sa.BigInteger, nullable=False, server_default=str(NEVER)))
        columns.append(sa.Column("gone", sa.Boolean, nullable=False, server_default=sa.false()))
    info = {"key": [c.name for c in key], "add": list(add), "include": list(include)}
    return sa.Table(name, metadata, *columns, sa.PrimaryKeyConstraint(*[c.name for c in key]), *indexes, info=info)


def _columns(given: Columns) -> list[sa.Column[Any]]:
    if isinstance(given, Mapping):
        return [sa.Column(name, kind) for name, kind in given.items()]
    return list(given)


def listing_index(name: str, *columns: str, where: str | None = None) -> sa.Index:
    """An index for a list in that order. What is gone is not in it, so a page never reads over what was taken away."""
    there = "not gone" if where is None else f"not gone and {where}"
    return sa.Index(name, *columns, postgresql_where=sa.text(there))


def present(table: sa.Table, community: UUID | None = None) -> sa.ColumnElement[bool]:
    """The condition under which a row of a table with `put` columns is there to be read, in a community if named."""
    here = [] if community is None else [table.c.community == community]
    return sa.and_(table.c.version > NEVER, sa.not_(table.c.gone), *here)
