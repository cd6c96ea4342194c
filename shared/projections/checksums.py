"""A read model's checksum: the number of its rows and a sum of their hashes, which no order of rows changes.

Sets count as their members and not as the bytes they are written in. Both generations of a view take ordinals from
one dictionary, so equal ordinals are equal members.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pyroaring import BitMap

from shared.db import Driver
from shared.projections.sql import quoted

PATIENCE = 6 * 3600.0
"""Seconds a statement over a whole table may take."""
_FETCH = 1_000
_MODULUS = 2**128


@dataclass(frozen=True, slots=True)
class Checksum:
    rows: int
    digest: str


async def checksum(connection: Driver, table: sa.Table, generation: str = "") -> Checksum:
    """Of all rows of a table. Within a transaction, whose snapshot it is taken of."""
    name, plain, sets = quoted(table.name + generation), _plain(table, "t"), _sets(table)
    if not sets:
        row = await connection.fetchrow(
            "select count(*), coalesce(sum(hashtextextended(r, 0)::numeric), 0)::text,"  # noqa: S608 - our names
            f" coalesce(sum(hashtextextended(r, 1)::numeric), 0)::text from (select {plain} as r from {name} t) s",
            timeout=PATIENCE,
        )
        assert row is not None
        return Checksum(row[0], f"{row[1]}/{row[2]}")
    rows, total = 0, 0
    columns = ", ".join(f"t.{quoted(column)}" for column in sets)
    async for values in _stream(connection, f"select {plain}, {columns} from {name} t"):  # noqa: S608 - our names
        rows += 1
        total = (total + _hash(values)) % _MODULUS
    return Checksum(rows, f"{total:032x}")


async def different_rows(connection: Driver, table: sa.Table, one: str, other: str) -> int:
    """How many rows are not the same in two generations of a table: changed, missing or added."""
    sets, keys = _sets(table), ", ".join(quoted(key) for key in table.info["key"])
    query = (
        f"select {_plain(table, 'a')}, {_plain(table, 'b')}"  # noqa: S608 - our own names
        + "".join(f", a.{quoted(column)}, b.{quoted(column)}" for column in sets)
        + f" from {quoted(table.name + one)} a full join {quoted(table.name + other)} b using ({keys}) where "
        + " or ".join(
            [f"{_plain(table, 'a')} is distinct from {_plain(table, 'b')}"]
            + [f"a.{quoted(column)} is distinct from b.{quoted(column)}" for column in sets]
        )
    )
    different = 0
    async for left, right, *held in _stream(connection, query):
        same_sets = all(_members(held[n]) == _members(held[n + 1]) for n in range(0, len(held), 2))
        different += left != right or not same_sets
    return different


def _sets(table: sa.Table) -> Sequence[str]:
    columns: Sequence[str] = table.info["include"]
    return columns


def _plain(table: sa.Table, alias: str) -> str:
    """All columns but the sets as one text."""
    names = [column.name for column in table.c if column.name not in _sets(table)]
    return f"row({', '.join(f'{alias}.{quoted(name)}' for name in names)})::text"


def _members(held: bytes | None) -> Any:
    return BitMap.deserialize(held) if held else BitMap()


def _hash(values: Sequence[Any]) -> int:
    text, *sets = values
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    for held in sets:
        ordinals = _members(held).to_array().tobytes()
        digest.update(len(ordinals).to_bytes(8) + ordinals)
    return int.from_bytes(digest.digest())


async def _stream(connection: Driver, query: str) -> AsyncIterator[Sequence[Any]]:
    async for row in connection.cursor(query, prefetch=_FETCH, timeout=PATIENCE):
        yield tuple(row)
