"""The log's port: append with positions without gaps, load a stream, follow a partition.

Every implementation passes `tests/shared/log/log_conformance.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from shared.events.claim import Claim
from shared.events.event import Recorded
from shared.log.keys import IdempotencyKey


def partition_of(stream: UUID, partitions: int) -> int:
    """The partition of a stream, 0 to `partitions` - 1. The low bits of ids of versions 5 and 7 are spread evenly."""
    return stream.int % partitions


LARGEST_EVENT = 256 * 1024
"""Bytes of an event's data at most: a broker takes messages of a megabyte, and one it refuses stops its partition."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that has been decided and not yet written; `data` is its JSON, of `LARGEST_EVENT` bytes at most."""

    id: UUID
    type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class VaultRow:
    """Words a member wrote or that name one: a row of the vault, never of the log.

    `subject` is the member it is about (or None for nobody's), `ref` what the event refers to it by, `content` JSON.
    """

    community: UUID
    subject: UUID | None
    ref: UUID
    content: bytes


@dataclass(frozen=True, slots=True)
class Write:
    """Events for one stream, the first of which gets version `expected + 1`."""

    stream: UUID
    expected: int
    events: tuple[NewEvent, ...]


@dataclass(frozen=True, slots=True)
class Guard:
    """A stream that the decision rests on and does not write: it must still be at this version."""

    stream: UUID
    version: int


@dataclass(frozen=True, slots=True)
class Append:
    """One transaction's worth: all of it is written or none of it, and only while every guard holds.

    `guards` name none of the streams that are written. `traceparent` is kept with every event, for those who trace
    what becomes of it; None where nobody does. `imported_by` is the member who brings it in, None for what is
    done here. `superseded` are references to words in the vault that stand no more once this is written, `again` to
    words that stand once more; they must still be there. `key` is kept with the versions to which the streams came, and
    must be new. `taken` and `released` are claims, each with the stream that gets or gives it; what is taken must be
    held by no other stream, or be released by it here.
    """

    community: UUID
    actor: UUID | None
    occurred_at: datetime
    causation: UUID | None
    writes: tuple[Write, ...]
    secrets: tuple[VaultRow, ...] = ()
    traceparent: str | None = None
    guards: tuple[Guard, ...] = ()
    imported_by: UUID | None = None
    superseded: tuple[UUID, ...] = ()
    again: tuple[UUID, ...] = ()
    key: IdempotencyKey | None = None
    taken: tuple[tuple[UUID, Claim], ...] = ()
    released: tuple[tuple[UUID, Claim], ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where an event stands in its service's log. Positions of a partition are 1, 2, 3 … without gaps."""

    partition: int
    position: int


class VersionConflict(Exception):
    """Somebody else wrote first to a stream that is written or guarded: it is no longer at the expected version.

    Or words were forgotten that are to stand again: who decided so had not seen that others had replaced them.
    """


class ClaimTaken(Exception):
    """Another stream holds what an append was to take."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(f"{claim.scope} {claim.key!r}")
        self.claim = claim


class Log(Protocol):
    """A service's own log.

    `agreed` is whether it was known to hold what its topic holds when `heads` was last asked; appends wait for that.
    """

    service: str
    partitions: int
    agreed: bool

    async def append(self, request: Append) -> list[Position]:
        """Write all events of the request; their positions in the order of its writes and events.

        Raises `VersionConflict` when a stream, written or guarded, has moved on, `AlreadyMade` when its key has been
        used, `ClaimTaken`, and `Unavailable` when the store does not answer.
        An append that returns is durable. An append repeated with the same event ids finds what it wrote.
        """

    async def load(self, stream: UUID, after: int = 0) -> Sequence[Recorded]:
        """The events of a stream with a version above `after`, in order."""

    async def follow(self, partition: int, after: int, limit: int) -> Sequence[Recorded]:
        """Up to `limit` events of a partition with a position above `after`, in order, none left out."""

    async def holders_of(self, community: UUID, claim: Claim) -> Sequence[UUID]:
        """The streams that hold it: one or none; several where a log that went back was put right, and says so."""

    async def heads(self) -> list[int]:
        """The last position of each partition, by partition; 0 where there is none."""
