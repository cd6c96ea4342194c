"""What the broker says of the services' topics, without joining a group, writing, or leaving anything behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from shared.events.envelope import position_of
from shared.kafka.consumer import lookup_consumer, stop_consumer
from shared.kafka.signature import Signatures
from shared.kafka.topics import BROKER_AWAY, BrokerAway, topic_of
from shared.settings import Settings

DEADLINE = 5.0
"""Seconds the broker has for one question."""
SILENCE = 5.0
"""Seconds without a record after which a topic that should have some is read no further."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A record of a topic; `position` and `value`, its envelope, are None for one that is not the log's."""

    partition: int
    offset: int
    position: int | None
    value: bytes | None


class Topics:
    """`there` are the services whose topics exist."""

    def __init__(self, consumer: Any, settings: Settings, there: Sequence[str]) -> None:
        self.there = there
        self._partitions = settings.partitions
        self._consumer = consumer
        self._signatures = {service: Signatures(settings, service) for service in there}

    async def ends(self, service: str) -> list[int]:
        """The offset that each partition's next record will get. Raises `BrokerAway`."""
        wanted = [TopicPartition(topic_of(service), p) for p in range(self._partitions)]
        async with _in_time():
            found = await self._consumer.end_offsets(wanted)
        return [found[tp] for tp in wanted]

    async def begins(self, service: str) -> list[int]:
        """The offset of the first record that each partition still has."""
        wanted = [TopicPartition(topic_of(service), p) for p in range(self._partitions)]
        async with _in_time():
            found = await self._consumer.beginning_offsets(wanted)
        return [found[tp] for tp in wanted]

    async def last(self, service: str, ends: Sequence[int]) -> dict[int, Seen]:
        """The last record of each partition that has one."""
        begin = {p: end - 1 for p, end in enumerate(ends) if end}
        return {seen.partition: seen async for seen in self._read(service, begin, ends)}

    async def records(self, service: str, ends: Sequence[int], newest: int | None = None) -> AsyncIterator[Seen]:
        """Every record, or so many of the newest in each partition, in the topic's order."""
        begins = await self.begins(service)
        begin = {p: at if newest is None else max(at, ends[p] - newest) for p, at in enumerate(begins)}
        async for seen in self._read(service, begin, ends):
            yield seen

    async def _read(self, service: str, begin: Mapping[int, int], ends: Sequence[int]) -> AsyncIterator[Seen]:
        genuine = self._signatures[service].genuine_record
        left = {TopicPartition(topic_of(service), p): offset for p, offset in begin.items() if offset < ends[p]}
        self._consumer.assign(list(left))
        for tp, offset in left.items():
            self._consumer.seek(tp, offset)
        while left:
            async with _in_time(SILENCE + 1):
                batches = await self._consumer.getmany(timeout_ms=int(SILENCE * 1000), max_records=5000)
            if not batches:
                raise BrokerAway(f"Topic {topic_of(service)} says it has records and hands none out.")
            for tp, records in batches.items():
                for record in records:
                    if tp in left and record.offset < ends[tp.partition]:
                        position = position_of(record.value) if genuine(record) else None
                        value = None if position is None else record.value
                        yield Seen(tp.partition, record.offset, position, value)
                if tp in left and records[-1].offset + 1 >= ends[tp.partition]:
                    del left[tp]
                    self._consumer.pause(tp)


@asynccontextmanager
async def topics(settings: Settings, services: Iterable[str]) -> AsyncIterator[Topics]:
    """Raises `BrokerAway` when the broker does not answer."""
    consumer = lookup_consumer(settings, DEADLINE)
    try:
        try:
            async with _in_time():
                await consumer.start()
                there = await consumer.topics()
        except BrokerAway:
            raise BrokerAway(f"Kafka at {settings.kafka} does not answer.") from None
        yield Topics(consumer, settings, [name for name in services if topic_of(name) in there])
    finally:
        await stop_consumer(consumer)


@asynccontextmanager
async def _in_time(seconds: float = DEADLINE) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except BROKER_AWAY as error:
        raise BrokerAway(f"Kafka does not answer: {type(error).__name__}.") from error
