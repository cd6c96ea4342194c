"""A view is its tables and a pure fold from one event to changes; changes commute, so order does not matter.

The algebra has four changes. `add` numbers to a row; `put` columns of a row, newest version wins; `drop` a row,
which leaves a tombstone; `include` a member in a set. A row is put by one stream (or carries a version that says
the same whoever puts it, such as a time in microseconds), so versions order its puts; anything may add to it.
A question that joins two streams is joined when read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa

from shared.events.catalogue import Catalogue
from shared.events.event import Event, Recorded, events_of
from shared.processes.process_manager import IssuedCommand, OutgoingCommand, React, issued

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def add(table: sa.Table, key: Key, /, **amounts: int) -> Add:
    """Add numbers to a row (negative ones take away), making it where it is missing."""
    return Add(table, key, amounts)


def put(table: sa.Table, key: Key, version: int, /, **values: Any) -> Put:
    """Set columns of a row, unless it has been put with this version or a newer one."""
    return Put(table, key, version, values)


def drop(table: sa.Table, key: Key, version: int) -> Put:
    """Take a row away, unless it has been put with this version or a newer one. Its numbers stay."""
    return Put(table, key, version, {}, gone=True)


def include(table: sa.Table, key: Key, column: str, member: UUID) -> Include:
    """Put a member into the set in that column; once or many times is the same."""
    return Include(table, key, column, member)


@dataclass(frozen=True)
class ReadModel:
    """A read model: `fold(event, record) -> changes` over `tables`, fed by the topics or log of `sources`.

    What it subscribes to is read off the type of the fold's parameter `event`; other events pass by unread.
    `generation` ends the names of the tables that are written: empty for the live ones. One without tables is a process
    manager, whose fold answers `commands`.
    """

    name: str
    tables: tuple[sa.Table, ...]
    fold: Callable[[Any, Recorded], Iterable[Change]]
    generation: str = ""
    commands: tuple[type[OutgoingCommand], ...] = ()
    events: tuple[type[Event], ...] = field(init=False)
    catalogue: Catalogue = field(init=False)
    sources: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        events = events_of(self.fold, "event")
        catalogue = Catalogue(events)
        object.__setattr__(self, "events", events)
        object.__setattr__(self, "catalogue", catalogue)
        object.__setattr__(self, "sources", tuple(sorted({name.split(".")[1] for name in catalogue.events})))


def process_manager(name: str, react: React, commands: Sequence[type[OutgoingCommand]]) -> ReadModel:
    """What a service does because of events: `react(event, record)` answers commands of these classes, or timers."""
    return ReadModel(name, (), cast("Callable[[Any, Recorded], Iterable[Change]]", react), commands=tuple(commands))


def commands_of(manager: ReadModel, record: Recorded, answered: Iterable[Change]) -> list[IssuedCommand]:
    """What the fold of a process manager answered to a record, as it is written down."""
    items = cast("Iterable[OutgoingCommand]", answered)
    return [issued(manager.name, record, number, item) for number, item in enumerate(items)]
