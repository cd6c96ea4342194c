"""The port of the store that keeps read models: rows, watermarks and parked events change together or not at all.

Every implementation passes `tests/shared/projections/view_store_conformance.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.processes.process_manager import IssuedCommand
from shared.projections.merge import Merged
from shared.projections.parked_store import Parked, ParkedStore
from shared.subscription.source import Mark


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
class WatermarkMove:
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


@dataclass(slots=True)
class Batch:
    """One transaction's worth. `changes` are by the ending of the table names they are for (`ReadModel.generation`).

    `commands` are what process managers issue: written down with it, and carried out by the dispatcher.
    """

    moves: list[WatermarkMove] = field(default_factory=list)
    changes: dict[str, Merged] = field(default_factory=dict)
    parked: list[Parked] = field(default_factory=list)
    commands: list[IssuedCommand] = field(default_factory=list)


class WatermarkConflict(Exception):
    """A watermark is no longer what the batch took it for: nothing was written, reload and fold again."""


class Unwritable(Exception):
    """The store can never take these changes, however often it is tried: a value does not fit its column."""


def reason(error: BaseException) -> str:
    """The kind of error and its text on one line, without the values that a database adds as detail."""
    text = " ".join(str(error.args[0] if error.args else "").replace("\x00", "").split())
    return f"{type(error).__name__}: {text}"[:500]


class ReadModelStore(ParkedStore, Protocol):
    """Read models and how far they are. What is not `WatermarkConflict` or `Unwritable` is worth another try."""

    async def watermarks(
        self, views: Sequence[str], source: str, partitions: Iterable[int]
    ) -> Mapping[tuple[str, int], Watermark]:
        """By view and partition; those that are missing are made, at 0."""

    async def write(self, batch: Batch) -> object:
        """In one transaction, take the moves, apply the changes, park, and write the commands down.

        Gives back the token of the watermarks it moved. Raises `WatermarkConflict` or `Unwritable`, and then no row was
        written; after an error of the connection that is not known.
        """

    async def note(self, views: Sequence[str], source: str, positions: Mapping[int, int]) -> None:
        """Note where these positions, by partition, reach the source's heads that are known here.

        Raises `WatermarkConflict` when a watermark has not come as far: the store has lost what it once said it had
        written.
        """
