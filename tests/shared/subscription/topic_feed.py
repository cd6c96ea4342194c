"""A topic that is filled from a log in memory, made again and deleted."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient

from shared.kafka.topics import ensure_topics, topic_of
from shared.relay.producer import Producer
from shared.settings import Settings
from tests.doubles.log import MemoryLog
from tests.shared.subscription.source_conformance import PARTITIONS, append


class TopicFeed:
    """A log in memory whose events are put on a topic of a service's own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = MemoryLog(f"toy{uuid4().hex[:8]}", PARTITIONS)
        self.producer: Producer | None = None
        self.sent = [0] * PARTITIONS

    async def add(self, events: int) -> None:
        await append(self.log, events)
        for partition in range(PARTITIONS):
            await self.put(partition, self.sent[partition])
            self.sent[partition] = (await self.log.heads())[partition]

    async def put(self, partition: int, after: int, limit: int = 1000) -> None:
        """Put the events after a position on the topic, whether they are there already or not."""
        if self.producer is None:
            self.producer = Producer(self.settings, self.log.service)
            await self.producer.start()
        await self.producer.send(partition, await self.log.follow(partition, after, limit))

    async def recreate(self) -> None:
        await self.close()
        await delete_topic(self.settings, self.log.service)
        await ensure_topics(self.settings, [self.log.service])

    async def close(self) -> None:
        if self.producer is not None:
            await self.producer.stop()
        self.producer = None


async def delete_topic(settings: Settings, service: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.delete_topics([topic_of(service)])
    while topic_of(service) in await admin.list_topics():
        await asyncio.sleep(0.02)
    await admin.close()
