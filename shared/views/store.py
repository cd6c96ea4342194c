"""The port of the store that keeps read models: rows, watermarks and parked events change together or not at all.

Every implementation passes `tests/shared/views/view_store_conformance.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa

from shared.reactions import Execute, Order, OrderRefused
from shared.stream.source import Mark
from shared.views.merge import Merged


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a view has folded one partition of one source.

    `offset` is the Kafka offset up to which every record has been considered, None for an own log. `token` changes
    whenever anybody moves the watermark or tends the view's parked events: who holds an old one has old knowledge.
    """

    position: int
    offset: int | None
    token: object

    @property
    def mark(self) -> Mark:
        return Mark(self.position, self.offset)


@dataclass(frozen=True, slots=True)
class Move:
    """A watermark's step within a batch, taken only if the watermark still is `before`.

    `recorded_at` is when the last event considered was recorded: the view holds everything older.
    """

    view: str
    source: str
    partition: int
    before: Watermark
    position: int
    offset: int | None
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Parked:
    """An event set aside because it could not be folded, or because an earlier one of its stream was.

    `value` is the record as on the wire. A `position` below 1 is a note: a record that nobody could read and that was
    not missing either; its Kafka offset is `-1 - position`. `stream` and `type` are None where they are not known.
    """

    view: str
    source: str
    partition: int
    position: int
    stream: UUID | None
    type: str | None
    reason: str
    value: bytes
    parked_at: datetime | None = None


def note_position(offset: int) -> int:
    """The `position` under which a note about the record at this offset is kept."""
    return -1 - offset


@dataclass(slots=True)
class Batch:
    """One transaction's worth. `changes` are by the ending of the table names they are for (`View.generation`).

    `orders` are carried out before it, one after the other: at least once, whatever becomes of the transaction.
    """

    moves: list[Move] = field(default_factory=list)
    changes: dict[str, Merged] = field(default_factory=dict)
    parked: list[Parked] = field(default_factory=list)
    orders: list[Order[Any, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of a stream's parked events: these are folded, and these stay, with a new reason.

    `orders` are what the folded ones ask for, as in `Batch`.
    """

    changes: Merged
    folded: Sequence[Parked]
    kept: Sequence[Parked]
    orders: Sequence[Order[Any, Any]] = ()


class Overtaken(Exception):
    """A watermark is no longer what the batch took it for: nothing was written, reload and fold again."""


class Refused(Exception):
    """The store can never take these changes, however often it is tried: a value does not fit its column."""


def reason(error: BaseException) -> str:
    """The kind of error and its text on one line, without the values that a database adds as detail."""
    text = " ".join(str(error.args[0] if error.args else "").replace("\x00", "").split())
    return f"{type(error).__name__}: {text}"[:500]


async def carry_out_all(execute: Execute, orders: Iterable[Order[Any, Any]]) -> None:
    """One order after the other, before anything is written. Raises `Refused` at the first that never can be."""
    try:
        for order in orders:
            await execute(order)
    except OrderRefused as error:
        raise Refused(reason(error)) from error


class ViewStore(Protocol):
    """Read models and how far they are. What is not `Overtaken` or `Refused` is worth another try."""

    async def watermarks(
        self, views: Sequence[str], source: str, partitions: Iterable[int]
    ) -> Mapping[tuple[str, int], Watermark]:
        """By view and partition; those that are missing are made, at 0."""

    async def write(self, batch: Batch) -> object:
        """Carry out the orders; then take the moves, apply the changes, park: one transaction. The moved marks' token.

        Raises `Overtaken` or `Refused`; either way, and after any other error it knows to be one, nothing is written.
        """

    async def caught_up(self, views: Sequence[str], source: str, positions: Mapping[int, int], at: float) -> None:
        """Note that at this monotonic time these positions were the last there were. It is never taken for later.

        Raises `Overtaken` when a watermark has not come as far: the store has lost what it once said it had written.
        """

    async def parked_streams(self, views: Sequence[str]) -> Mapping[str, Collection[UUID]]:
        """The streams that have parked events, by view."""

    async def parked_counts(self, views: Sequence[str]) -> Mapping[str, int]:
        """How many events of each view are parked, notes too."""

    async def parked(
        self,
        view: str | None = None,
        *,
        stream: UUID | None = None,
        position: tuple[str, int, int] | None = None,
        limit: int = 1_000,
    ) -> Sequence[Parked]:
        """Parked events in the order of view, source, partition and position.

        `position` is a source, a partition and a position in it.
        """

    async def replay(self, view: str, parked: Parked, generation: str, retry: Retry) -> Retried:
        """Give all parked events of that one's stream to `retry` and do what it says, in one transaction.

        An event whose stream is not known is tried alone. Raises `Refused` as `write` does; then nothing is done.
        """

    async def dismiss(self, note: Parked) -> bool:
        """Take a note away. False when it is not there."""

    async def rows(self, table: sa.Table, generation: str = "") -> list[dict[str, Any]]:
        """All rows, ordered by key, with sets as frozensets of member ids: what tests compare."""


Retry = Callable[[Sequence[Parked]], Retried]
"""Folds a stream's parked events in order; pure, since it may be called again."""
