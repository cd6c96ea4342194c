"""A producer lives until its first failure: what it sent last is then unknown, and a new one compares before it sends.

aiokafka's idempotent producer never expires a batch and cannot leave a failed state, and `stop` waits for what will
never be sent; so every wait here has a deadline, and a producer past it is abandoned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from shared.event import Recorded, Undecodable, from_wire, to_wire
from shared.settings import Settings
from shared.stream.connection import connection
from shared.stream.consumer import stop_consumer
from shared.stream.signature import Signatures
from shared.stream.topics import BROKER_AWAY, BrokerAway, TopicProblem, check_topic, topic_of

DEADLINE = 5.0
"""Seconds for a start, a look at the topic, a send; half of it for one request."""
STOPPING = 2.0
"""Seconds a producer gets to stop."""
BATCH_BYTES = 900_000
"""A batch of several records is no larger than this, nor than nine tenths of what the topic takes."""

_logger = structlog.get_logger(__name__)


class TopicChanged(TopicProblem):
    """The topic is shorter than it was: it was re-created or lost its end."""


class EventTooLarge(TopicProblem):
    """The broker refuses an event for its size."""


class Producer:
    """Writes one service's records to its topic. `start` first, `stop` at the end, and after an error only that.

    `ends` holds the offset each partition's next record gets.
    """

    def __init__(self, settings: Settings, service: str) -> None:
        self.topic = topic_of(service)
        self.ends: dict[int, int] = {}
        self._settings = settings
        self._service = service
        self._signatures = Signatures(settings, service)
        self._partitions = [TopicPartition(self.topic, p) for p in range(settings.partitions)]
        request_timeout_ms = int(DEADLINE * 500)
        common = {**connection(settings), "request_timeout_ms": request_timeout_ms}
        self._consumer = AIOKafkaConsumer(
            **common, enable_auto_commit=False, auto_offset_reset="none", fetch_max_wait_ms=100
        )
        self._common = common
        self._producer: Any = None

    async def start(self) -> list[int]:
        """Connect, and say which position each partition of the topic is filled up to.

        Raises `TopicProblem` for a topic that is missing or has another shape, `BrokerAway` without a broker.
        """
        topic = await check_topic(self._settings, self._service)
        if topic is None:
            raise TopicProblem(f"Topic {self.topic} does not exist. Run `guildhall topics`.")
        size = min(BATCH_BYTES, topic.batch_limit * 9 // 10)
        self._producer = AIOKafkaProducer(
            **self._common, acks="all", enable_idempotence=True, linger_ms=0, max_batch_size=size
        )
        try:
            async with asyncio.timeout(DEADLINE):
                await self._producer.start()
                await self._consumer.start()
                self.ends = await self._end_offsets()
            return await self._filled()
        except BROKER_AWAY as error:
            raise BrokerAway(f"Kafka at {self._settings.kafka} does not answer: {type(error).__name__}.") from error

    async def _end_offsets(self) -> dict[int, int]:
        offsets = await self._consumer.end_offsets(self._partitions)
        return {tp.partition: offset for tp, offset in offsets.items()}

    async def _filled(self) -> list[int]:
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
        filled = {p: _position(last[p].value) for p in signed if _position(first[p].value) == 1}
        if unsigned := sorted(ends.keys() - signed):
            _logger.error("the topic's last record is not the log's; it is filled again", partitions=unsigned)
        return [at if (at := filled.get(p, 0)) <= self.ends[p] else 0 for p in range(len(self._partitions))]

    async def _records_at(self, offsets: dict[int, int]) -> dict[int, Any]:
        """By partition, the record at that offset."""
        found: dict[int, Any] = {}
        if not offsets:
            return found
        self._consumer.assign([self._partitions[p] for p in offsets])
        for p, offset in offsets.items():
            self._consumer.seek(self._partitions[p], offset)
        async with asyncio.timeout(DEADLINE):
            while len(found) < len(offsets):
                for tp, records in (await self._consumer.getmany(timeout_ms=200)).items():
                    found.setdefault(tp.partition, records[0])
        self._consumer.unsubscribe()
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
            raise BrokerAway(f"Topic {self.topic} cannot be looked at: {type(error).__name__}.") from error
        for partition, end in before.items():
            if now[partition] < end:
                raise TopicChanged(f"Topic {self.topic} was re-created or has lost records; it is filled again.")
        return [p for p, end in before.items() if end == self.ends[p] < now[p]]

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
                written = await (await self._producer.send_batch(batch, self.topic, partition=partition))
        except MessageSizeTooLargeError as error:
            raise EventTooLarge(
                f"Event {records[0].id} ({records[0].type}) at {self._service}/{partition}/{records[0].position} has "
                f"{batch.size()} bytes, more than topic {self.topic} takes. Nothing after it in this partition can be "
                "published before it. Raise the topic's max.message.bytes."
            ) from error
        except BROKER_AWAY as error:
            raise BrokerAway(
                f"Kafka did not take a batch: {type(error).__name__}. Whether it is there is unknown"
            ) from error
        if written.offset >= 0:  # -1: the broker had it already from an earlier try and no longer knows where
            if written.offset < self.ends[partition]:
                raise TopicChanged(f"Topic {self.topic} was re-created or has lost records; it is filled again.")
            self.ends[partition] = written.offset + count
        return count

    async def stop(self) -> None:
        """Let go of everything within a few seconds, whatever state it is in; what was not acknowledged is unknown."""
        stops = [stop_consumer(self._consumer)]
        if self._producer is not None:
            stops.append(_abandon(self._producer))
        await asyncio.gather(*stops)


def _position(value: bytes | None) -> int:
    """The position of a record on the topic; 0, so that all is sent again, for one that we did not write."""
    try:
        return from_wire(value or b"").position
    except Undecodable:
        _logger.error("the topic's last record is not one of ours; it is filled again")
        return 0


async def _abandon(producer: Any) -> None:
    """Let go of a producer without waiting for what it has not sent: `stop` would, and its sender would try for ever.

    Reaches below aiokafka's surface, because from above a producer that is stuck cannot be ended.
    """
    sender = producer._sender.sender_task  # noqa: SLF001
    for _ in range(2):  # the first asks it to finish the request under way, the second breaks that off
        if sender is not None and not sender.done():
            sender.cancel()
            await asyncio.wait([sender], timeout=STOPPING / 4)
    producer._closed = True  # noqa: SLF001 - else it complains that it was not stopped
    with suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(STOPPING / 2):
            await producer.client.close()
