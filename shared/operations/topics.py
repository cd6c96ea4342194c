"""What the broker says of the services' topics, without joining a group, writing, or leaving anything behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.event import Undecodable, from_wire
from shared.settings import Settings
from shared.stream.consumer import stop_consumer
from shared.stream.topics import BROKER_AWAY, BrokerAway, topic_of

DEADLINE = 5.0
"""Seconds the broker has for one question."""
SILENCE = 5.0
"""Seconds without a record after which a topic that should have some is read no further."""


class Topics:
    """`there` are the services whose topics exist."""

    def __init__(self, consumer: Any, partitions: int, there: Sequence[str]) -> None:
        self.there = there
        self._partitions = partitions
        self._consumer = consumer

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

    async def last_positions(self, service: str, ends: Sequence[int]) -> list[int | None]:
        """By partition, the position of the last record; 0 for none, None for one that is not ours."""
        found: list[int | None] = [0] * len(ends)
        async for partition, value in self._read(service, {p: end - 1 for p, end in enumerate(ends) if end}, ends):
            found[partition] = _position(value)
        return found

    async def positions(self, service: str, ends: Sequence[int]) -> AsyncIterator[tuple[int, int | None]]:
        """Every record's partition and position, in the topic's order."""
        begin = dict(enumerate(await self.begins(service)))
        async for partition, value in self._read(service, begin, ends):
            yield partition, _position(value)

    async def _read(
        self, service: str, begin: Mapping[int, int], ends: Sequence[int]
    ) -> AsyncIterator[tuple[int, bytes | None]]:
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
                        yield tp.partition, record.value
                if tp in left and records[-1].offset + 1 >= ends[tp.partition]:
                    del left[tp]
                    self._consumer.pause(tp)


@asynccontextmanager
async def topics(settings: Settings, services: Iterable[str]) -> AsyncIterator[Topics]:
    """Raises `BrokerAway` when the broker does not answer."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        enable_auto_commit=False,
        auto_offset_reset="none",
        request_timeout_ms=int(DEADLINE * 1000),
        fetch_max_wait_ms=100,
    )
    try:
        try:
            async with _in_time():
                await consumer.start()
                there = await consumer.topics()
        except BrokerAway:
            raise BrokerAway(f"Kafka at {settings.kafka} does not answer.") from None
        yield Topics(consumer, settings.partitions, [name for name in services if topic_of(name) in there])
    finally:
        await stop_consumer(consumer)


@asynccontextmanager
async def _in_time(seconds: float = DEADLINE) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except BROKER_AWAY as error:
        raise BrokerAway(f"Kafka does not answer: {type(error).__name__}.") from error


def _position(value: bytes | None) -> int | None:
    try:
        return from_wire(value or b"").position
    except Undecodable:
        return None
