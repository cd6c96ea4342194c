"""The statements that write a view's table: one `unnest … on conflict` each, rows in the order of their keys.

The order is PostgreSQL's own (`order by` within the insert), so that two workers lock common rows in one order.
Arrays and JSON travel as text and are cast in the statement: `unnest` would flatten an array of arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from shared.projections.read_model import Key, Put

_dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
_preparer = _dialect.identifier_preparer

Encode = Callable[[Any], Any]


def quoted(name: str) -> str:
    """An identifier as SQL has it."""
    return str(_preparer.quote(name))


@dataclass(frozen=True, slots=True)
class Column:
    """A column as a parameter: `parameter` is the array type sent, `cast` what follows its name in the select."""

    name: str
    parameter: str
    cast: str = ""
    encode: Encode | None = None


@lru_cache(maxsize=4096)
def _column(table: sa.Table, name: str) -> Column:
    if name in ("version", "gone") and name in table.c:
        return Column(name, "bigint" if name == "version" else "boolean")
    kind = table.c[name].type
    sql = str(kind.compile(dialect=_dialect)).partition(" COLLATE ")[0]
    if isinstance(kind, sa.ARRAY):
        return Column(quoted(name), "text", f"::{sql}", array_literal)
    if isinstance(kind, sa.JSON):
        return Column(quoted(name), "text", f"::{sql}", _json)
    return Column(quoted(name), sql)


def array_literal(values: Sequence[Any] | None) -> str | None:
    """A one-dimensional array as PostgreSQL reads it from text."""
    if values is None:
        return None
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, (list, tuple)):
        raise TypeError("A column holds arrays of one dimension.")
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL whose parameters are one array for each of `columns`."""

    sql: str
    columns: tuple[Column, ...]

    def arguments(self, rows: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
        """Rows turned to columns, each encoded for its parameter. Raises `ValueError` for rows of another length."""
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        if len(columns) != len(self.columns):
            raise ValueError(f"{len(columns)} values for {len(self.columns)} columns")
        for index, column in enumerate(self.columns):
            if column.encode is not None:
                columns[index] = [column.encode(value) for value in columns[index]]
        return columns


def _insert(table: sa.Table, generation: str, names: Sequence[str], conflict: str, only: str = "") -> Statement:
    columns = tuple(_column(table, name) for name in names)
    name = quoted(table.name + generation)
    keys = ", ".join(_column(table, key).name for key in table.info["key"])
    arrays = ", ".join(f"${n}::{column.parameter}[]" for n, column in enumerate(columns, 1))
    into = ", ".join(column.name for column in columns)
    values = ", ".join(f"u.{column.name}{column.cast}" for column in columns)
    sql = (
        f"insert into {name} as t ({into}) select {values} from unnest({arrays}) as u({into})"  # noqa: S608 - our names
        f"{only} order by {', '.join(f'u.{_column(table, key).name}' for key in table.info['key'])}"
        f" on conflict ({keys}) do {conflict}"
    )
    return Statement(sql, columns)


def _same_key(table: sa.Table, alias: str) -> str:
    keys = [_column(table, name) for name in table.info["key"]]
    return " and ".join(f"{alias}.{key.name} = u.{key.name}{key.cast}" for key in keys)


@lru_cache(maxsize=1024)
def add_statement(table: sa.Table, generation: str) -> Statement:
    """Rows: the key, then an amount for each of the table's `add` columns."""
    names = [quoted(name) for name in table.info["add"]]
    sums = ", ".join(f"{name} = t.{name} + excluded.{name}" for name in names)
    return _insert(table, generation, [*table.info["key"], *table.info["add"]], f"update set {sums}")


@lru_cache(maxsize=1024)
def put_statement(table: sa.Table, generation: str, columns: tuple[str, ...]) -> Statement:
    """Rows: the key, those columns, version, gone.

    A row that has been put with this version or a newer one is left out before it is locked: versions only grow, so
    what a look without a lock says of it stays true. An old put then costs a look, and makes no other worker wait.
    """
    names = [*columns, "version", "gone"]
    newer = f"select from {quoted(table.name + generation)} s where {_same_key(table, 's')} and s.version >= u.version"
    sets = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in names)
    return _insert(
        table,
        generation,
        [*table.info["key"], *names],
        f"update set {sets} where t.version < excluded.version",
        f" where not exists ({newer})",
    )


@lru_cache(maxsize=1024)
def lock_sets_statement(table: sa.Table, generation: str, column: str) -> Statement:
    """Rows: the key and its number. Answers the number and the set of the rows that are there, and locks them."""
    order = ", ".join(f"t.{_column(table, key).name}" for key in table.info["key"])
    template = f"select u.n, t.{quoted(column)} from {{t}} t join {{u}} on {{on}} order by {order} for update of t"  # noqa: S608 - our names
    return _joined(table, generation, template, "n", "integer")


@lru_cache(maxsize=1024)
def new_sets_statement(table: sa.Table, generation: str, column: str) -> Statement:
    """Rows: the key and the set. Makes those that are still missing."""
    return _insert(table, generation, [*table.info["key"], column], "nothing")


@lru_cache(maxsize=1024)
def write_sets_statement(table: sa.Table, generation: str, column: str) -> Statement:
    """Rows: the key and the set that takes the place of the one there."""
    template = f"update {{t}} t set {quoted(column)} = u.value from {{u}} where {{on}}"  # noqa: S608 - our names
    return _joined(table, generation, template, "value", "bytea")


def _joined(table: sa.Table, generation: str, template: str, extra: str, kind: str) -> Statement:
    columns = (*(_column(table, name) for name in table.info["key"]), Column(extra, kind))
    arrays = ", ".join(f"${n}::{column.parameter}[]" for n, column in enumerate(columns, 1))
    sql = template.format(
        t=quoted(table.name + generation),
        u=f"unnest({arrays}) as u({', '.join(column.name for column in columns)})",
        on=_same_key(table, "t"),
    )
    return Statement(sql, columns)


def add_rows(table: sa.Table, adds: dict[Key, dict[str, int]]) -> list[tuple[Any, ...]]:
    """Rows for `add_statement`. Raises `KeyError` for a column that is not one to add to."""
    names = table.info["add"]
    known = set(names)
    for amounts in adds.values():
        if not amounts or not known.issuperset(amounts):
            raise KeyError(f"{table.name}: {sorted(amounts)} are not all columns to add to")
    return [(*key, *(amounts.get(name, 0) for name in names)) for key, amounts in adds.items()]


def put_groups(puts: Iterable[Put]) -> dict[tuple[str, ...], list[tuple[Any, ...]]]:
    """Rows for `put_statement` by the columns they set, in a fixed order of the groups."""
    groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for put in puts:
        group = groups.setdefault(tuple(put.values), [])
        group.append((*put.key, *put.values.values(), put.version, put.gone))
    if len(groups) > 1:
        groups = _in_one_order(groups)
    return groups


def _in_one_order(groups: dict[tuple[str, ...], list[tuple[Any, ...]]]) -> dict[tuple[str, ...], list[tuple[Any, ...]]]:
    """The same columns named in another order are the same group."""
    ordered: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for names, rows in sorted(groups.items()):
        places = sorted(range(len(names)), key=names.__getitem__)
        if places == list(range(len(names))):
            ordered.setdefault(names, []).extend(rows)
            continue
        first = len(rows[0]) - len(names) - 2
        into = ordered.setdefault(tuple(names[place] for place in places), [])
        into += [(*row[:first], *(row[first + place] for place in places), *row[-2:]) for row in rows]
    return ordered
