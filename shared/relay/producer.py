"""A producer lives until its first failure. What it sent last is then unknown, so before the next one sends, `relay.py`
compares the topic with the log and the checkpoints.

aiokafka's idempotent producer never expires a batch and cannot leave a failed state; so every wait here has a deadline,
and a producer past it is abandoned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from shared.events.envelope import to_wire
from shared.events.event import Recorded
from shared.kafka.connection import connection
from shared.kafka.signature import Signatures
from shared.kafka.topics import BROKER_AWAY, BrokerAway, TopicProblem, check_topic
from shared.relay.abandoned import abandon
from shared.relay.topic_end import DEADLINE, TopicEnd
from shared.settings import Settings

BATCH_BYTES = 900_000
"""A batch of several records is no larger than this, nor than nine tenths of what the topic takes."""


class EventTooLarge(TopicProblem):
    """The broker refuses an event for its size."""


class Producer:
    """Writes one service's records to its topic. `start` first, `stop` at the end, and after an error only that.

    `topic` looks at the end of the topic: how far each partition is filled, and whether it still is the same topic.
    """

    def __init__(self, settings: Settings, service: str) -> None:
        self.topic = TopicEnd(settings, service)
        self._settings = settings
        self._service = service
        self._signatures = Signatures(settings, service)
        self._producer: Any = None

    async def start(self) -> list[int]:
        """Connect, and say which position each partition of the topic is filled up to.

        Raises `TopicProblem` for a topic that is missing or has another shape, `BrokerAway` without a broker.
        """
        topic = await check_topic(self._settings, self._service)
        if topic is None:
            raise TopicProblem(f"Topic {self.topic.name} does not exist. Run `guildhall topics`.")
        size = min(BATCH_BYTES, topic.batch_limit * 9 // 10)
        self._producer = AIOKafkaProducer(
            **connection(self._settings),
            request_timeout_ms=int(DEADLINE * 500),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=size,
        )
        try:
            async with asyncio.timeout(DEADLINE):
                await self._producer.start()
                await self.topic.start()
            return await self.topic.filled()
        except BROKER_AWAY as error:
            raise BrokerAway(f"Kafka at {self._settings.kafka} does not answer: {type(error).__name__}.") from error

    async def send(self, partition: int, records: Sequence[Recorded]) -> int:
        """Write as many of the records as one batch holds, in order; how many that were, once all replicas have them.

        Raises `EventTooLarge`, `TopicChanged` or `BrokerAway`; in each case it is unknown what the topic holds now.
        """
        batch = self._producer.create_batch()
        count = 0
        for record in records:
            # The time is when it was recorded, not when it occurred: that grows along the topic, which is what looking
            # up by time needs, and a backfill of old facts is not thrown away by a topic that keeps records for a time.
            timestamp = int(record.recorded_at.timestamp() * 1000)
            value = to_wire(record)
            headers = self._signatures.sign(partition, value)
            if batch.append(key=record.stream.bytes, value=value, timestamp=timestamp, headers=headers) is None:
                break
            count += 1
        batch.close()
        try:
            async with asyncio.timeout(DEADLINE):
                written = await (await self._producer.send_batch(batch, self.topic.name, partition=partition))
        except MessageSizeTooLargeError as error:
            raise EventTooLarge(
                f"Event {records[0].id} ({records[0].type}) at {self._service}/{partition}/{records[0].position} has "
                f"{batch.size()} bytes, more than topic {self.topic.name} takes. Nothing after it in this partition "
                "can be published before it. Raise the topic's max.message.bytes."
            ) from error
        except BROKER_AWAY as error:
            raise BrokerAway(
                f"Kafka did not take a batch: {type(error).__name__}. Whether it is there is unknown"
            ) from error
        if written.offset >= 0:  # -1: the broker had it already from an earlier try and no longer knows where
            self.topic.written(partition, written.offset, count)
        return count

    async def stop(self) -> None:
        """Let go of everything within a few seconds, whatever state it is in; what was not acknowledged is unknown."""
        stops = [self.topic.stop()]
        if self._producer is not None:
            stops.append(abandon(self._producer))
        await asyncio.gather(*stops)
