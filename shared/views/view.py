"""A view is its tables and a pure fold from one event to changes; changes commute, so order does not matter.

The algebra has four changes. `add` numbers to a row; `put` columns of a row, newest version wins; `drop` a row,
which leaves a tombstone; `include` a member in a set. A row is put by one stream (or carries a version that says
the same whoever puts it, such as a time in microseconds), so versions order its puts; anything may add to it.
A question that joins two streams is joined when read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa

from shared.event import Catalogue, Event, Recorded, events_of
from shared.reactions import Order

NEVER = -(2**63)
"""The version of a row that was added to and never put."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def view_table(
    name: str,
    metadata: sa.MetaData,
    *,
    key: Iterable[sa.Column[Any]],
    put: Iterable[sa.Column[Any]] = (),
    add: Iterable[str] = (),
    include: Iterable[str] = (),
    indexes: Iterable[sa.Index] = (),
) -> sa.Table:
    """A table for changes. `community` is its first key column, so that it can be distributed by it.

    `put` columns become nullable (an `add` may come first), `add` columns count from 0, `include` columns hold
    serialised roaring bitmaps of member ordinals. A table with `put` columns, or with none at all, gets `version`
    and `gone`; what reads it leaves out rows that are gone or were never put.
    """
    key = list(key)
    if key[0].name != "community":
        raise ValueError(f"{name}: the first key column is `community`")
    puts = list(put)
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


def present(table: sa.Table) -> sa.ColumnElement[bool]:
    """The condition under which a row of a table with `put` columns is there to be read."""
    return sa.and_(table.c.version > NEVER, sa.not_(table.c.gone))


def micros(at: datetime) -> int:
    """A time as a version: microseconds since 1970, exact, negative before that."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


Key = tuple[Any, ...]


class Add(msgspec.Struct, frozen=True):
    """Numbers to add to a row."""

    table: sa.Table
    key: Key
    amounts: Mapping[str, int]


class Put(msgspec.Struct, frozen=True):
    """Columns to set in a row, and whether it is gone from that version on."""

    table: sa.Table
    key: Key
    version: int
    values: Mapping[str, Any]
    gone: bool = False


class Include(msgspec.Struct, frozen=True):
    """A member for the set in a column of a row."""

    table: sa.Table
    key: Key
    column: str
    member: UUID


Change = Add | Put | Include


def add(table: sa.Table, key: Key, **amounts: int) -> Add:
    """Add numbers to a row (negative ones take away), making it where it is missing."""
    return Add(table, key, amounts)


def put(table: sa.Table, key: Key, version: int, **values: Any) -> Put:
    """Set columns of a row, unless it has been put with this version or a newer one."""
    return Put(table, key, version, values)


def drop(table: sa.Table, key: Key, version: int) -> Put:
    """Take a row away, unless it has been put with this version or a newer one. Its numbers stay."""
    return Put(table, key, version, {}, gone=True)


def include(table: sa.Table, key: Key, column: str, member: UUID) -> Include:
    """Put a member into the set in that column; once or many times is the same."""
    return Include(table, key, column, member)


NEXT = "@next"
"""Ends the name of a view's second generation, which is filled beside the live one."""


@dataclass(frozen=True)
class View:
    """A read model: `fold(event, record) -> changes` over `tables`, fed by the topics or log of `sources`.

    What it subscribes to is read off the type of the fold's first parameter; other events pass by unread.
    `generation` ends the names of the tables that are written: empty for the live ones.
    """

    name: str
    tables: tuple[sa.Table, ...]
    fold: Callable[[Any, Recorded], Iterable[Change]]
    generation: str = ""
    events: tuple[type[Event], ...] = field(init=False)
    catalogue: Catalogue = field(init=False)
    sources: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        events = events_of(self.fold, "event")
        catalogue = Catalogue(events)
        object.__setattr__(self, "events", events)
        object.__setattr__(self, "catalogue", catalogue)
        object.__setattr__(self, "sources", tuple(sorted({name.split(".")[1] for name in catalogue.events})))

    def next(self) -> View:
        """The same view, written to its second generation of tables."""
        return View(self.name + NEXT, self.tables, self.fold, "__next")


def reaction(name: str, react: Callable[[Any, Recorded], Iterable[Order[Any, Any]]]) -> View:
    """A view without tables, whose fold answers orders: what a service does because of these events."""
    return View(name, (), cast("Callable[[Any, Recorded], Iterable[Change]]", react))


def orders_in(changes: Iterable[Change]) -> Iterable[Order[Any, Any]]:
    """What the fold of a reaction answered, as what it is."""
    return cast("Iterable[Order[Any, Any]]", changes)
