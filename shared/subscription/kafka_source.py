"""Kafka as a source: the database's marks say where to read on, and the offsets in them only where to look first.

Nothing is committed to Kafka and nothing is reset by itself (`auto_offset_reset="none"`): a partition is read from
where `placement.py` puts it or not at all. A consumer that has failed (`topic_consumer.py`) or fallen silent
(`silence.py`) is thrown away and made anew, in the background, so that `read` returns when it was asked to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from shared.cancellation import Stray, attempt
from shared.events.errors import Unavailable
from shared.kafka.consumer import REQUEST
from shared.kafka.signature import Signatures
from shared.kafka.topics import BROKER_AWAY, TopicProblem, topic_of
from shared.settings import Settings
from shared.subscription.findings import FOREIGN, report
from shared.subscription.placement import Placement
from shared.subscription.silence import SILENCE, SilenceWatch
from shared.subscription.source import Mark, Marks, Message
from shared.subscription.topic_consumer import TopicConsumer
from shared.subscription.topic_cursor import NotAtOffset

SLICE = 0.25
"""Seconds waited for records at a time."""
GLANCE = 0.002
"""Seconds for a look whether more has come than lies ready."""

_logger = structlog.get_logger(__name__)


class KafkaSource:
    """Implements `Source` over a service's topic.

    Without a `group` it reads the partitions that `start` was given. With one it shares the partitions with the
    group's other members: `marks` is asked for those it was assigned, each time anew, before any is read, and what
    `start` is given is not used.
    """

    def __init__(
        self,
        settings: Settings,
        service: str,
        group: str | None = None,
        *,
        marks: Marks | None = None,
        silence: float = SILENCE,
    ) -> None:
        assert group is None or marks is not None, "a member of a group must be told where to read on"
        self.service = service
        self.partitions = settings.partitions
        self.topic = topic_of(service)
        self._group = group
        FOREIGN.labels(service)  # there from the beginning, so that the first one shows as a change
        self._consumer = TopicConsumer(settings, service, group, lambda: self._placement.forget())
        genuine = Signatures(settings, service).genuine_record
        self._placement = Placement(self.topic, self._consumer, marks if group is not None else None, genuine)
        self._watch = SilenceWatch(self._placement, self._ends, silence)

    async def start(self, after: Mapping[int, Mark]) -> None:
        self._placement.given = dict(after)

    async def read(self, limit: int, wait: float) -> Sequence[Message]:
        until = time.monotonic() + wait
        while True:
            left = max(0.0, until - time.monotonic())
            messages: Sequence[Message] = []
            if self._group is not None and self._consumer.current is not None:
                await self._placement.take_over()  # its errors are the database's: no reason to leave the group
            try:
                with attempt():  # aiokafka passes on what befell its tasks
                    if self._consumer.current is not None or await self._connected(left):
                        messages = await self._poll(limit, min(left, SLICE))
                        self._watch.check()
            except (*BROKER_AWAY, TopicProblem, Stray) as error:
                self._let_go()
                self._consumer.failed(error)
            if messages or time.monotonic() >= until:
                return messages

    async def seek(self, partition: int, mark: Mark) -> None:
        self._placement.seek(partition, mark)

    async def _ends(self) -> Mapping[int, int]:
        consumer = self._consumer.current
        if consumer is None:
            raise Unavailable(f"Topic {self.topic} cannot be read: {self._consumer.problem or 'not connected yet'}.")
        try:
            async with asyncio.timeout(REQUEST / 1000):
                ends = await consumer.end_offsets([TopicPartition(self.topic, p) for p in self._placement.cursors])
        except BROKER_AWAY as error:
            raise Unavailable(f"Kafka does not answer: {type(error).__name__}.") from error
        return {tp.partition: end for tp, end in ends.items()}

    async def close(self) -> None:
        self._let_go()
        await self._consumer.close()

    async def _connected(self, wait: float) -> bool:
        """Connect, for at most `wait` seconds; True when that is done and the partitions given are placed."""
        if not await self._consumer.connected(wait):
            return False
        self._watch.begin_anew()
        self._placement.begin()
        return True

    def _let_go(self) -> None:
        self._placement.keep()
        self._watch.cancel()

    async def _poll(self, limit: int, wait: float) -> list[Message]:
        """Records that lie ready and those that have come since; where there are none, the next to come."""
        # What one fetch found while the last batch was written is often one record; those behind it need not wait.
        messages = await self._get(limit, 0.0)
        if not messages:
            return await self._get(limit, wait)
        if len(messages) < limit:
            try:
                messages += await self._get(limit - len(messages), GLANCE)
            except KafkaError as error:  # it comes up again at the next read; what is in hand is not lost for it
                _logger.debug("no more records for now", topic=self.topic, error=type(error).__name__)
        return messages

    async def _get(self, limit: int, wait: float) -> list[Message]:
        began = time.monotonic()
        try:
            # getmany waits without an end while its group is shared out anew
            async with asyncio.timeout(wait + SLICE):
                batches = await self._consumer.current.getmany(timeout_ms=int(wait * 1000), max_records=limit)
        except (TimeoutError, NoOffsetForPartitionError):  # the latter: assigned, and not placed yet
            batches = {}
        except OffsetOutOfRangeError as error:
            batches = {}
            async with asyncio.timeout(REQUEST / 1000):
                for tp, offset in (await self._consumer.current.beginning_offsets(list(error.args[0]))).items():
                    self._placement.search(tp.partition, offset)
        self._placement.waited += time.monotonic() - began
        return self._sifted(batches)

    def _sifted(self, batches: Mapping[TopicPartition, Sequence[Any]]) -> list[Message]:
        messages: list[Message] = []
        for tp, records in batches.items():
            cursor = self._placement.cursors.get(tp.partition)
            if cursor is None:
                continue
            cursor.next, cursor.moved = records[-1].offset + 1, self._placement.waited
            hole = cursor.hole
            try:
                found = cursor.sift(records)
            except NotAtOffset:
                self._placement.search(tp.partition)  # nothing is awaited here: what other partitions gave is in hand
                found = []
            report(self.service, tp.partition, cursor, hole)
            messages += [Message(tp.partition, record.offset, record.value, None) for record in found]
        return messages
