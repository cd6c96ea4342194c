"""What the statements on the views' own tables mean, read off the words that `shared/projections/sql.py` puts
together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa

from shared.projections.read_model_table import NEVER
from tests.simulation.postgres import Locks, Statement, Transaction, Work
from tests.simulation.rows import Row, columns, row_type
from tests.simulation.statements import row_locks

SET = row_type("n", "held")

_INSERT = re.compile(r"insert into (\S+) as t \(([^)]*)\) select .* on conflict \(([^)]*)\) do (.*)$", re.S)
_READ = re.compile(r"select u\.n, t\.(\S+) from (\S+) t join unnest\((.*)\) as u\(([^)]*)\) on ", re.S)
_WRITE = re.compile(r"update (\S+) t set (\S+) = u\.value from unnest\((.*)\) as u\(([^)]*)\) where ", re.S)
_ALL = re.compile(r"select \* from (\S+) order by ")
_EMPTY = re.compile(r"truncate (\S+)$")


class Tables:
    """The views' own tables; a row is a tuple of its columns, found by its key."""

    def __init__(self, tables: Iterable[sa.Table]) -> None:
        self._tables = {table.name: table for table in tables}
        self._types = {table.name: row_type(*(column.name for column in table.c)) for table in tables}

    def __call__(self, sql: str) -> Statement | None:
        """The meaning of one of the statements that `shared/projections/sql.py` makes."""
        shapes = (
            (_INSERT, self._insert),
            (_READ, self._read),
            (_WRITE, self._write),
            (_ALL, self._all),
            (_EMPTY, self._empty),
        )
        for shape, make in shapes:
            found = shape.match(sql)
            if found is not None:
                return make(*(part.replace('"', "") for part in found.groups()))
        return None

    def _insert(self, name: str, into: str, keys: str, update: str) -> Statement:
        table, kind = self._tables[name], self._types[name]
        names, wide = into.split(", "), len(keys.split(", "))
        adds = ".".join(("t", names[-1])) + " + excluded." in update
        nothing = update == "nothing"
        newer = "t.version < excluded.version" in update
        version = names.index("version") if newer else -1
        decode = [_decoder(table, column) for column in names]

        def insert(transaction: Transaction, given: Sequence[Any]) -> Work:
            rows = [tuple(read(value) for read, value in zip(decode, row, strict=True)) for row in columns(given)]
            if any(value is None for row in rows for value in row[:wide]):
                raise asyncpg.NotNullViolationError(f"null value in a key column of {name}")
            rows.sort(key=lambda row: row[:wide])
            if newer:  # an old put is left out before anything is locked
                rows = [row for row in rows if not _as_new(transaction.get(name, row[:wide]), row[version])]
            yield Locks(row_locks(name, [row[:wide] for row in rows]))
            made = 0
            for row in rows:
                before = transaction.get(name, row[:wide])
                if before is None:
                    values = dict(zip(names, row, strict=True))
                    after = kind(values.get(column.name, _default(table, column)) for column in table.c)
                elif nothing:
                    continue
                elif adds:
                    sums = {
                        column: before[column] + amount for column, amount in zip(names[wide:], row[wide:], strict=True)
                    }
                    after = _with(before, sums)
                elif newer and _as_new(before, row[version]):
                    continue
                else:
                    after = _with(before, dict(zip(names[wide:], row[wide:], strict=True)))
                if any(type(value) is int and not -(2**63) <= value < 2**63 for value in after):
                    raise asyncpg.NumericValueOutOfRangeError("bigint out of range")
                transaction.put(name, row[:wide], after)
                made += 1
            return f"INSERT 0 {made}"

        return insert

    def _read(self, column: str, name: str, _: str, into: str) -> Statement:
        wide = len(into.split(", ")) - 1

        def read(transaction: Transaction, given: Sequence[Any]) -> Work:
            there = [row for row in columns(given) if transaction.get(name, row[:wide]) is not None]
            there.sort(key=lambda row: row[:wide])
            yield Locks(row_locks(name, [row[:wide] for row in there]))
            return [SET((row[wide], transaction.get(name, row[:wide])[column])) for row in there]

        return read

    def _write(self, name: str, column: str, _: str, into: str) -> Statement:
        wide = len(into.split(", ")) - 1

        def write(transaction: Transaction, given: Sequence[Any]) -> Work:
            rows = columns(given)
            yield Locks(row_locks(name, [row[:wide] for row in rows]))
            for row in rows:
                before = transaction.get(name, row[:wide])
                if before is not None:
                    transaction.put(name, row[:wide], _with(before, {column: row[wide]}))
            return f"UPDATE {len(rows)}"

        return write

    def _empty(self, name: str) -> Statement:
        def empty(transaction: Transaction, _: Sequence[Any]) -> str:
            for key in [key for key, _ in transaction.rows(name)]:
                transaction.put(name, key, None)
            return "TRUNCATE TABLE"

        return empty

    def _all(self, name: str) -> Statement:
        return lambda transaction, _: [row for _, row in sorted(transaction.rows(name))]


def _as_new(row: Row | None, version: int) -> bool:
    """Whether a row has been put with this version or a newer one."""
    return row is not None and bool(row["version"] >= version)


def _with(row: Row, values: dict[str, Any]) -> Row:
    return type(row)(values.get(name, value) for name, value in zip(row.names, row, strict=True))


def _default(table: sa.Table, column: sa.Column[Any]) -> Any:
    if column.name in table.info["add"]:
        return 0
    if column.name in table.info["include"]:
        return b""
    return {"version": NEVER, "gone": False}.get(column.name)


def _decoder(table: sa.Table, name: str) -> Callable[[Any], Any]:
    kind = table.c[name].type
    if isinstance(kind, sa.ARRAY):
        item = UUID if isinstance(kind.item_type, sa.Uuid) else str
        return lambda value: value if not isinstance(value, str) else [item(each) for each in _array(_text(value))]
    if isinstance(kind, sa.JSON):
        return lambda value: msgspec.json.decode(value) if isinstance(value, str) else value
    if isinstance(kind, sa.BigInteger | sa.Integer):
        return _integer
    return _text


def _integer(value: Any) -> Any:
    if value is not None and not -(2**63) <= value < 2**63:
        raise asyncpg.DataError("invalid input for query argument: value out of int64 range")
    return value


def _text(value: Any) -> Any:
    if isinstance(value, str) and "\x00" in value:
        raise asyncpg.CharacterNotInRepertoireError('invalid byte sequence for encoding "UTF8": 0x00')
    return value


def _array(text: str) -> list[str | None]:
    """The elements of a one-dimensional array as it is written in text."""
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', text)
    return [None if bare else re.sub(r"\\(.)", r"\1", quoted) for quoted, bare in parts]
