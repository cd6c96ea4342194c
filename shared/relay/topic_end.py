"""What is on a service's topic already: how far it is filled, by whose records, and whether it still is the same topic.

A relay asks when it begins, since what its predecessor sent last is unknown, and looks again every so often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition

from shared.events.envelope import from_wire
from shared.events.event import Recorded, Undecodable
from shared.kafka.consumer import lookup_consumer, stop_consumer
from shared.kafka.signature import Signatures
from shared.kafka.topics import BROKER_AWAY, BrokerAway, TopicProblem, topic_of
from shared.settings import Settings

DEADLINE = 5.0
"""Seconds for a start, a look at the topic, a send; half of it for one request."""
NEWEST = 1000
"""Records at a partition's end among which its newest is: behind that one may stand repeats, of a batch or two."""

_logger = structlog.get_logger(__name__)


class TopicChanged(TopicProblem):
    """The topic is shorter than it was: it was re-created or lost its end."""


class TopicEnd:
    """The end of each partition of a topic. `start` first, `stop` at the end.

    `ends` holds the offset each partition's next record gets, `last` the last record of each partition whose last is
    the log's, as they were when `filled` was asked.
    """

    def __init__(self, settings: Settings, service: str) -> None:
        self.name = topic_of(service)
        self.ends: dict[int, int] = {}
        self.last: dict[int, Recorded] = {}
        self._reading = asyncio.Lock()
        self._signatures = Signatures(settings, service)
        self._partitions = [TopicPartition(self.name, p) for p in range(settings.partitions)]
        self._consumer = lookup_consumer(settings, DEADLINE / 2)

    async def start(self) -> None:
        """Connect, and see where the partitions end."""
        await self._consumer.start()
        self.ends = await self._end_offsets()

    async def stop(self) -> None:
        await stop_consumer(self._consumer)

    def written(self, partition: int, offset: int, count: int) -> None:
        """So many records were written at that offset. Raises `TopicChanged` where there were others before."""
        if offset < self.ends[partition]:
            raise TopicChanged(f"Topic {self.name} was re-created or has lost records; it is filled again.")
        self.ends[partition] = offset + count

    async def _end_offsets(self) -> dict[int, int]:
        offsets = await self._consumer.end_offsets(self._partitions)
        return {tp.partition: offset for tp, offset in offsets.items()}

    async def filled(self) -> list[int]:
        """By partition, the position of the last record; 0 where there is none or where records before it are missing.

        A topic that was made again while a producer was writing to it has a hole: it does not begin with position 1, or
        ends at an offset below its last position, since every position takes at least one. The last record must be
        signed, so what was written before there were signatures is sent once more, with them; the first need not be,
        or it would be sent again at every start.
        """
        ends = {p: end for p, end in self.ends.items() if end}
        last = await self._records_at({p: end - 1 for p, end in ends.items()})
        first = await self._records_at(dict.fromkeys(ends, 0))
        signed = [p for p in ends if self._signatures.genuine_record(last[p])]
        self.last = {p: record for p in signed if (record := _record(last[p].value)) is not None}
        filled = {p: record.position for p, record in self.last.items() if _begins(first[p].value)}
        if unsigned := sorted(ends.keys() - signed):
            _logger.error("the topic's last record is not the log's; it is filled again", partitions=unsigned)
        return [at if (at := filled.get(p, 0)) <= self.ends[p] else 0 for p in range(len(self._partitions))]

    async def _records_at(self, offsets: dict[int, int]) -> dict[int, Any]:
        """By partition, the record at that offset."""
        found: dict[int, Any] = {}
        async with self._reading, asyncio.timeout(DEADLINE):
            self._read_from(offsets)
            while len(found) < len(offsets):
                for tp, records in (await self._consumer.getmany(timeout_ms=200)).items():
                    found.setdefault(tp.partition, records[0])
            self._read_no_more()
        return found

    def _read_from(self, offsets: dict[int, int]) -> None:
        self._consumer.assign([self._partitions[p] for p in offsets])
        for p, offset in offsets.items():
            self._consumer.seek(self._partitions[p], offset)

    def _read_no_more(self) -> None:
        """Not by `unsubscribe`, on which a fetcher that is about to ask fails for good."""
        self._consumer.pause(*self._consumer.assignment())

    async def newest(self, partitions: Sequence[int] | None = None) -> dict[int, Recorded]:
        """By partition, the log's record with the highest position among the last ones; nothing where there is none.

        Raises `BrokerAway`.
        """
        try:
            async with self._reading, asyncio.timeout(DEADLINE):
                return await self._newest(range(len(self._partitions)) if partitions is None else partitions)
        except BROKER_AWAY as error:
            raise BrokerAway(f"Topic {self.name} cannot be read: {type(error).__name__}.") from error

    async def _newest(self, partitions: Sequence[int]) -> dict[int, Recorded]:
        wanted = [self._partitions[p] for p in partitions]
        begins = await self._consumer.beginning_offsets(wanted)
        ends = {tp.partition: end for tp, end in (await self._consumer.end_offsets(wanted)).items()}
        offsets = {tp.partition: max(begin, ends[tp.partition] - NEWEST) for tp, begin in begins.items()}
        left = {p: offset for p, offset in offsets.items() if offset < ends[p]}
        self._read_from(left)
        found: dict[int, Recorded] = {}
        while left:
            for tp, records in (await self._consumer.getmany(timeout_ms=200)).items():
                for each in filter(self._signatures.genuine_record, records):
                    record = _record(each.value)
                    if record is not None and record.position > getattr(found.get(tp.partition), "position", 0):
                        found[tp.partition] = record
                if records[-1].offset + 1 >= ends[tp.partition]:
                    left.pop(tp.partition, None)
        self._read_no_more()
        return found

    async def look(self) -> list[int]:
        """The partitions that somebody else has written to since.

        Raises `TopicChanged` when the topic is shorter than it was, `BrokerAway` when it cannot be seen.
        """
        before = dict(self.ends)
        try:
            async with asyncio.timeout(DEADLINE):
                now = await self._end_offsets()
        except BROKER_AWAY as error:
            raise BrokerAway(f"Topic {self.name} cannot be looked at: {type(error).__name__}.") from error
        for partition, end in before.items():
            if now[partition] < end:
                raise TopicChanged(f"Topic {self.name} was re-created or has lost records; it is filled again.")
        return [p for p, end in before.items() if end == self.ends[p] < now[p]]


def _record(value: bytes | None) -> Recorded | None:
    """A record of the topic; None for one that we did not write."""
    try:
        return from_wire(value or b"")
    except Undecodable:
        _logger.error("a record of the topic is not one of ours")
        return None


def _begins(value: bytes | None) -> bool:
    """Whether a partition that begins with this record begins with the log's first."""
    first = _record(value)
    return first is not None and first.position == 1
