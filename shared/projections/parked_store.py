"""What the store keeps of events that could not be folded: each with its reason, until it is replayed or dismissed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from shared.events.envelope import to_wire
from shared.events.event import Recorded
from shared.processes.process_manager import IssuedCommand
from shared.projections.merge import Merged

AFTER = "an earlier event of its stream is parked"


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


def parked_event(view: str, record: Recorded, why: str, value: bytes | None) -> Parked:
    """The record as a parked event of that view."""
    return Parked(
        view, record.service, record.partition, record.position, record.stream, record.type, why,
        to_wire(record) if value is None else value,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of a stream's parked events: these are folded, and these stay, with a new reason.

    `commands` are what the folded ones ask for, as in `Batch`.
    """

    changes: Merged
    folded: Sequence[Parked]
    kept: Sequence[Parked]
    commands: Sequence[IssuedCommand] = ()


Retry = Callable[[Sequence[Parked]], Retried]
"""Folds a stream's parked events in order; pure, since it may be called again."""


class ParkedStore(Protocol):
    """The parked events of a `ReadModelStore`."""

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

        An event whose stream is not known is tried alone. Raises `Unwritable` as `write` does; then nothing is done.
        """

    async def dismiss(self, note: Parked) -> bool:
        """Take a note away. False when it is not there."""
