"""A source hands out records in the order of their positions, and goes back to any mark when asked to.

Two exist: a service's own log (`log_source.py`) and a Kafka topic (`kafka_source.py`). What a reader has done
with a record is known to the reader's database alone; a source keeps no record of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from shared.events.event import Recorded


@dataclass(frozen=True, slots=True)
class Message:
    """One record of a source. The own log gives `record`; Kafka gives `offset` and the undecoded `value`."""

    partition: int
    offset: int | None
    value: bytes | None
    record: Recorded | None


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a partition has been read: up to and including `position`; 0 where nothing was read.

    `offset` is the Kafka offset up to which every record was looked at, the one at that position or a repeat behind it.
    It is only a hint where to look for the next one: a topic may have been re-created since. None where there is none.
    """

    position: int
    offset: int | None = None


BEGINNING = Mark(0, None)

Marks: TypeAlias = Callable[[Sequence[int]], Awaitable[Mapping[int, Mark]]]
"""A function: for the partitions that a group has just assigned to a source, their marks, fresh from the database.

A partition that is left out is read from the beginning. Nothing of the partitions is handed out before the answer.
"""


class Source(Protocol):
    """Records of one service, by partition."""

    service: str
    partitions: int

    async def start(self, after: Mapping[int, Mark]) -> None:
        """Begin after these marks; the keys are the partitions to read.

        It does not wait for the other end: a broker or a database that is away is tried again by `read`.
        """

    async def read(self, limit: int, wait: float) -> Sequence[Message]:
        """Up to `limit` messages, in order within each partition; [] after about `wait` seconds without any.

        Repeats happen (positions already read); a reader skips them. One reader at a time.
        """

    async def seek(self, partition: int, mark: Mark) -> None:
        """Forget what was handed out of a partition since this mark; the next read begins after it."""

    async def close(self) -> None:
        """Let go of everything, within a few seconds also when the other end is dead."""
