"""Read models in memory, for tests; it passes the real one's conformance suite and asserts the algebra's rules."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from shared.kafka.heads import Heads
from shared.processes.process_manager import IssuedCommand
from shared.projections.merge import Merged, TableChanges
from shared.projections.parked_store import Parked, Retried, Retry
from shared.projections.read_model import Key, Put
from shared.projections.read_model_table import NEVER
from shared.projections.store import Batch, Unwritable, Watermark, WatermarkConflict, WatermarkMove

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = dict[str, dict[Key, Row]]
"""By the table's name in its generation, then by key."""


@dataclass
class MemoryReadModelStore:
    """Implements `ReadModelStore`; `caught_up_at` is by view, source and partition, `heads` by source; `issued` are the
    commands of process managers.
    """

    clock: Any = lambda: datetime.now(UTC)
    issued: dict[UUID, IssuedCommand] = field(default_factory=dict)
    tables: Rows = field(default_factory=dict)
    marks: dict[tuple[str, str, int], Watermark] = field(default_factory=dict)
    held: dict[tuple[str, str, int, int], Parked] = field(default_factory=dict)
    caught_up_at: dict[tuple[str, str, int], datetime] = field(default_factory=dict)
    heads: dict[str, Heads] = field(default_factory=dict)
    _puts: dict[tuple[str, Key, int], Put] = field(default_factory=dict)
    _tokens: Iterator[int] = field(default_factory=itertools.count)

    async def watermarks(
        self, views: Sequence[str], source: str, partitions: Iterable[int]
    ) -> Mapping[tuple[str, int], Watermark]:
        await asyncio.sleep(0)
        return {
            (view, p): self.marks.setdefault((view, source, p), Watermark(0, None, next(self._tokens)))
            for p in list(partitions)
            for view in views
        }

    async def write(self, batch: Batch) -> object:
        await asyncio.sleep(0)
        for move in batch.moves:
            if self.marks[move.view, move.source, move.partition] != move.before:
                raise WatermarkConflict(move.view)
        changed = self._changed(batch.changes)
        token = next(self._tokens)
        for move in batch.moves:
            self._take(move, token)
        self._commit(changed)
        for parked in batch.parked:
            place = (parked.view, parked.source, parked.partition, parked.position)
            self.held.setdefault(place, replace(parked, parked_at=self.clock()))
        self._issue(batch.commands)
        return token

    def _issue(self, commands: Iterable[IssuedCommand]) -> None:
        for command in commands:
            self.issued.setdefault(command.id, command)

    def _take(self, move: WatermarkMove, token: int) -> None:
        place = (move.view, move.source, move.partition)
        self.marks[place] = Watermark(move.position, move.offset, token)
        if move.recorded_at is not None:
            self.caught_up_at[place] = max(move.recorded_at, self.caught_up_at.get(place, move.recorded_at))

    async def note(self, views: Sequence[str], source: str, positions: Mapping[int, int]) -> None:
        await asyncio.sleep(0)
        heads = self.heads.get(source)
        lost = False
        for view, (partition, position) in itertools.product(views, positions.items()):
            place = (view, source, partition)
            mark = self.marks.get(place)
            if mark is None or mark.position < position:
                lost = True
            elif heads is not None and mark.position >= heads.positions[partition]:
                self.caught_up_at[place] = heads.at
        if lost:
            raise WatermarkConflict(source)

    async def parked_streams(self, views: Sequence[str]) -> Mapping[str, Collection[UUID]]:
        await asyncio.sleep(0)
        return {view: {p.stream for p in self.held.values() if p.view == view and p.stream} for view in views}

    async def parked_counts(self, views: Sequence[str]) -> Mapping[str, int]:
        await asyncio.sleep(0)
        return {view: sum(p.view == view for p in self.held.values()) for view in views}

    async def parked(
        self,
        view: str | None = None,
        *,
        stream: UUID | None = None,
        position: tuple[str, int, int] | None = None,
        limit: int = 1_000,
    ) -> Sequence[Parked]:
        await asyncio.sleep(0)
        found = [
            parked
            for place, parked in sorted(self.held.items(), key=lambda item: item[0])
            if view in (None, parked.view) and stream in (None, parked.stream) and position in (None, place[1:])
        ]
        return found[:limit]

    async def replay(self, view: str, parked: Parked, generation: str, retry: Retry) -> Retried:
        await asyncio.sleep(0)
        where = (view, parked.source, parked.partition)
        together = [
            p
            for place, p in sorted(self.held.items(), key=lambda item: item[0])
            if place[:3] == where
            and (p.position == parked.position or (p.stream is not None and p.stream == parked.stream))
        ]
        retried = retry(together)
        changed = self._changed({generation: retried.changes})
        self.marks[where] = replace(self.marks[where], token=next(self._tokens))
        self._commit(changed)
        self._issue(retried.commands)
        for each in retried.folded:
            del self.held[(*where, each.position)]
        for each in retried.kept:
            self.held[(*where, each.position)] = each
        return retried

    async def dismiss(self, note: Parked) -> bool:
        await asyncio.sleep(0)
        place = (note.view, note.source, note.partition, note.position)
        return note.position < 1 and self.held.pop(place, None) is not None

    async def rows(self, table: sa.Table, generation: str = "") -> list[dict[str, Any]]:
        await asyncio.sleep(0)
        rows = self.tables.get(table.name + generation, {})
        return [deepcopy(rows[key]) for key in sorted(rows)]

    def _changed(self, changes: Mapping[str, Merged]) -> Rows:
        """The rows as they will be; nothing is kept of them yet. Raises `Unwritable` for what no column can hold."""
        rows: Rows = {}
        for generation, merged in changes.items():
            for table, each in merged.items():
                name = table.name + generation
                held, new = self.tables.get(name, {}), rows.setdefault(name, {})
                for key in {*each.adds, *each.puts, *(key for sets in each.includes.values() for key in sets)}:
                    new[key] = deepcopy(held[key]) if key in held else _empty(table, key)
                self._apply(table, name, each, new)
                for row in new.values():
                    _fits(table, row)
        return rows

    def _apply(self, table: sa.Table, name: str, changes: TableChanges, rows: dict[Key, Row]) -> None:
        for key, amounts in changes.adds.items():
            if not amounts or not set(table.info["add"]).issuperset(amounts):
                raise Unwritable(f"{table.name}: {sorted(amounts)} are not all columns to add to")
            for column, amount in amounts.items():
                rows[key][column] += amount
        for puts in changes.puts.values():
            for put in puts:
                self._check(name, put)
        for put in changes.merged_puts():
            row = rows[put.key]
            if put.version > row["version"]:
                row |= {**_plain(put.values), "version": put.version, "gone": put.gone}
        for column, sets in changes.includes.items():
            if column not in table.info["include"]:
                raise Unwritable(f"{table.name}: {column} is no column of a set")
            for key, members in sets.items():
                rows[key][column] |= members

    def _check(self, name: str, put: Put) -> None:
        """A row is put once with a version, or always the same: else its value would depend on the order."""
        known = self._puts.setdefault((name, put.key, put.version), put)
        assert (known.values, known.gone) == (put.values, put.gone), f"{name} {put.key}: two puts with {put.version}"

    def _commit(self, changed: Rows) -> None:
        for name, rows in changed.items():
            self.tables.setdefault(name, {}).update(rows)


def _empty(table: sa.Table, key: Key) -> Row:
    keys = table.info["key"]
    if len(key) != len(keys):
        raise Unwritable(f"{table.name}: a key has {len(keys)} parts, not {len(key)}")
    row: Row = {column.name: None for column in table.c}
    row |= dict(zip(keys, key, strict=True))
    row |= dict.fromkeys(table.info["add"], 0) | {column: frozenset() for column in table.info["include"]}
    return row | ({"version": NEVER, "gone": False} if "version" in table.c else {})


def _plain(values: Mapping[str, Any]) -> Row:
    """Arrays as the database gives them back: lists."""
    return {name: list(value) if isinstance(value, (list, tuple)) else value for name, value in values.items()}


def _fits(table: sa.Table, row: Row) -> None:
    if unknown := row.keys() - {column.name for column in table.c}:
        raise Unwritable(f"{table.name}: no columns {sorted(unknown)}")
    for column in table.c:
        value = row[column.name]
        if value is None and column.name in table.info["key"]:
            raise Unwritable(f"{table.name}: {column.name} is null")
        if isinstance(value, str) and "\x00" in value:
            raise Unwritable(f"{table.name}: {column.name} holds a NUL")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise Unwritable(f"{table.name}: {column.name} is out of range")
