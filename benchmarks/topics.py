"""Topics of a measurement's own run: made anew, and filled at once by a plain aiokafka producer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from benchmarks.measuring import until
from shared.events.envelope import to_wire
from shared.events.event import Recorded
from shared.kafka.signature import Headers, Signatures
from shared.kafka.topics import ensure_topics, topic_of
from shared.relay.producer import BATCH_BYTES
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the relay writes it: the same key, the same bytes, the same time in milliseconds."""

    key: bytes
    value: bytes
    timestamp: int
    headers: Headers = ()


def record_of(recorded: Recorded, signatures: Signatures) -> Record:
    value = to_wire(recorded)
    timestamp = int(recorded.recorded_at.timestamp() * 1000)
    return Record(recorded.stream.bytes, value, timestamp, signatures.sign(recorded.partition, value))


async def new_topics(settings: Settings, services: Sequence[str]) -> None:
    """Empty topics of these services; what was in them is gone."""
    names = {topic_of(service) for service in services}
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        if there := names.intersection(await admin.list_topics()):
            await admin.delete_topics(list(there))
        await until(lambda: _gone(admin, names), 0.02)
    finally:
        await admin.close()
    await ensure_topics(settings, services)
    await _led(settings, names)


async def _gone(admin: Any, names: set[str]) -> bool:
    return names.isdisjoint(await admin.list_topics())


async def _led(settings: Settings, names: set[str]) -> None:
    """Until the broker leads every partition: only then does it say where one ends. Before, a send waits."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
    await consumer.start()
    try:
        await consumer.end_offsets([TopicPartition(name, p) for name in names for p in range(settings.partitions)])
    finally:
        await consumer.stop()


@asynccontextmanager
async def producer(settings: Settings) -> AsyncIterator[Any]:
    """An idempotent producer with the relay's settings."""
    made = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, acks="all", enable_idempotence=True, linger_ms=0, max_batch_size=BATCH_BYTES
    )
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def send_all(producer: Any, topic: str, partition: int, records: Sequence[Record], most: int) -> None:
    """Send a partition's records by `send_batch`, at most so many in a batch, each when the last is acknowledged."""
    sent = 0
    while sent < len(records):
        batch = producer.create_batch()
        before = sent
        for record in records[sent : sent + most]:
            sent_as = {
                "key": record.key,
                "value": record.value,
                "timestamp": record.timestamp,
                "headers": record.headers,
            }
            if batch.append(**sent_as) is None:
                break
            sent += 1
        assert sent > before, "a record is larger than a batch"
        batch.close()
        await (await producer.send_batch(batch, topic, partition=partition))


async def publish(settings: Settings, services: Sequence[str], events: Iterable[Recorded]) -> None:
    """Write these events to new topics of their services, which are among those named."""
    places: dict[tuple[str, int], list[Record]] = {}
    signatures = {service: Signatures(settings, service) for service in services}
    for event in events:
        places.setdefault((event.service, event.partition), []).append(record_of(event, signatures[event.service]))
    await new_topics(settings, services)
    async with producer(settings) as to:
        for (service, partition), records in places.items():
            await send_all(to, topic_of(service), partition, records, 1000)
