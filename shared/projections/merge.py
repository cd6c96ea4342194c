"""Changes to one row become one: numbers are summed, puts go over each other by version, sets are united."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from shared.projections.read_model import Add, Change, Key, Put


class TableChanges:
    """What is to be done to the rows of one table, by key."""

    __slots__ = ("adds", "includes", "puts")

    def __init__(self) -> None:
        self.adds: dict[Key, dict[str, int]] = {}
        self.puts: dict[Key, list[Put]] = {}
        self.includes: dict[str, dict[Key, set[UUID]]] = {}

    def merged_puts(self) -> Iterable[Put]:
        """One put for each row: the newest value of each column, at the newest version."""
        return [puts[0] if len(puts) == 1 else _newest(puts) for puts in self.puts.values()]


Merged: TypeAlias = dict[sa.Table, TableChanges]


def merge(changes: Iterable[Change], into: Merged) -> None:
    """Add changes to those that are there already. It runs once for every change of every event, so it is plain."""
    for change in changes:
        table = into.get(change.table)
        if table is None:
            table = into[change.table] = TableChanges()
        kind = type(change)
        if kind is Add:
            sums = table.adds.get(change.key)
            if sums is None:
                table.adds[change.key] = dict(change.amounts)  # type: ignore[union-attr]
            else:
                for column, amount in change.amounts.items():  # type: ignore[union-attr]
                    sums[column] = sums.get(column, 0) + amount
        elif kind is Put:
            puts = table.puts.get(change.key)
            if puts is None:
                table.puts[change.key] = [change]  # type: ignore[list-item]
            else:
                puts.append(change)  # type: ignore[arg-type]
        else:
            column_sets = table.includes.setdefault(change.column, {})  # type: ignore[union-attr]
            column_sets.setdefault(change.key, set()).add(change.member)  # type: ignore[union-attr]


def _newest(puts: list[Put]) -> Put:
    """Of puts with one version the first counts, as it does when they come one after another."""
    values: Mapping[str, Any] = {}
    newest: Put | None = None
    for put in sorted(puts, key=_version):
        if newest is None or put.version > newest.version:
            newest = put
            values = {**values, **put.values}
    assert newest is not None
    return Put(newest.table, newest.key, newest.version, values, newest.gone)


def _version(put: Put) -> int:
    return put.version
