"""Kafka as a source: the database's marks say where to read on, and the offsets in them only where to look first.

Nothing is committed to Kafka and nothing is reset by itself (`auto_offset_reset="none"`): a partition is read from
where `place.py` puts it or not at all. A consumer that has failed or fallen silent is thrown away and made anew, in
the background, so that `read` returns when it was asked to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from prometheus_client import Counter

from shared.errors import Unavailable
from shared.settings import Settings
from shared.stream.consumer import REQUEST, start_consumer, stop_consumer
from shared.stream.place import Elsewhere, Place, judge
from shared.stream.signature import Signatures
from shared.stream.source import BEGINNING, Mark, Marks, Message
from shared.stream.telling import FOREIGN, tell
from shared.stream.topics import BROKER_AWAY, TopicProblem, topic_of
from shared.tasks import Stray, attempt

SILENCE = 5.0
"""Seconds of waiting for a partition until it is asked whether there should have been a record."""
SLICE = 0.25
"""Seconds waited for records at a time."""
GLANCE = 0.002
"""Seconds for a look whether more has come than lies ready."""
RETRY = (0.1, 2.0)
"""Seconds between tries to connect, the first and the longest."""

REBUILT = Counter("guildhall_stream_rebuilt", "Consumers made anew after a failure.", ["service"])

_logger = structlog.get_logger(__name__)


class KafkaSource:
    """Implements `Source` over a service's topic.

    Without a `group` it reads the partitions that `start` was given. With one it shares the partitions with the
    group's other members: `marks` is asked for those it was assigned, each time anew, before any is read, and what
    `start` is given is not used. `rebuilt` counts the consumers that were thrown away.
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
        self.rebuilt = 0
        self._settings = settings
        self._group = group
        self._marks = marks
        self._silence = silence
        self._given: dict[int, Mark] = {}
        self._places: dict[int, Place] = {}
        self._signatures = Signatures(settings, service)
        FOREIGN.labels(service)  # there from the beginning, so that the first one shows as a change
        self._assignments = 0
        """Grows whenever the group is shared out anew: marks asked for before that are not used."""
        self._consumer: Any = None
        self._connecting: asyncio.Task[Any] | None = None
        self._checking: asyncio.Task[str | list[int]] | None = None
        self._stopping: set[asyncio.Task[None]] = set()
        self._waited = 0.0
        self._checked = 0.0
        self._retry = RETRY[0]
        self._problem: str | None = None

    async def start(self, after: Mapping[int, Mark]) -> None:
        self._given = dict(after)

    async def read(self, limit: int, wait: float) -> Sequence[Message]:
        until = time.monotonic() + wait
        while True:
            left = max(0.0, until - time.monotonic())
            messages: Sequence[Message] = []
            if self._group is not None and self._consumer is not None:
                await self._take_over()  # its errors are the database's: no reason to leave the group
            try:
                with attempt():  # aiokafka passes on what befell its tasks
                    if self._consumer is not None or await self._connected(left):
                        messages = await self._poll(limit, min(left, SLICE))
                        self._check()
            except (*BROKER_AWAY, TopicProblem, Stray) as error:
                self._rebuild(error)
            if messages or time.monotonic() >= until:
                return messages

    async def seek(self, partition: int, mark: Mark) -> None:
        if self._consumer is None:
            self._given[partition] = mark
        elif partition in self._places:
            self._place(partition, mark)

    async def heads(self) -> Mapping[int, int]:
        consumer = self._consumer
        if consumer is None:
            raise Unavailable(f"Topic {self.topic} cannot be read: {self._problem or 'not connected yet'}.")
        try:
            async with asyncio.timeout(REQUEST / 1000):
                ends = await consumer.end_offsets([TopicPartition(self.topic, p) for p in self._places])
        except BROKER_AWAY as error:
            raise Unavailable(f"Kafka does not answer: {type(error).__name__}.") from error
        return {tp.partition: end for tp, end in ends.items()}

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
            if not self._connecting.cancelled() and self._connecting.exception() is None:
                self._consumer = self._connecting.result()
            self._connecting = None
        self._abandon()
        if self._stopping:
            await asyncio.wait(self._stopping)

    # Connecting

    async def _connected(self, wait: float) -> bool:
        """Begin to connect, or go on doing so, for at most `wait` seconds. True when it is done."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name=f"connect-{self.topic}")
        await asyncio.wait([self._connecting], timeout=wait)
        if not self._connecting.done():
            return False
        connecting, self._connecting = self._connecting, None
        self._consumer = connecting.result()
        self._waited = self._checked = 0.0
        if self._group is None:
            self._consumer.assign([TopicPartition(self.topic, partition) for partition in self._given])
            for partition, mark in self._given.items():
                self._place(partition, mark)
        self._retry = RETRY[0]
        if self._problem is not None:
            _logger.info("topic is read again", topic=self.topic, after=self._problem)
            self._problem = None
        return True

    async def _connect(self) -> Any:
        if self._problem is not None:
            await asyncio.sleep(self._retry)
            self._retry = min(self._retry * 2, RETRY[1])
        return await start_consumer(self._settings, self.service, self._group, self._forget)

    def _rebuild(self, error: BaseException) -> None:
        """Throw the consumer away; the next read makes a new one, which goes on where this one had come to."""
        problem = str(error) or type(error).__name__
        if problem != self._problem:
            _logger.warning("topic cannot be read", topic=self.topic, problem=problem)
        self._problem = problem
        if self._consumer is not None:
            self.rebuilt += 1
            REBUILT.labels(self.service).inc()
        self._abandon()

    def _forget(self) -> None:
        self._places.clear()
        self._assignments += 1

    def _abandon(self) -> None:
        consumer, self._consumer = self._consumer, None
        if self._group is None:
            self._given |= {partition: place.here for partition, place in self._places.items()}
        self._forget()
        if self._checking is not None:
            self._checking.cancel()
            self._checking = None
        if consumer is not None:
            stopping = asyncio.create_task(stop_consumer(consumer))
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)

    # Reading

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
                batches = await self._consumer.getmany(timeout_ms=int(wait * 1000), max_records=limit)
        except (TimeoutError, NoOffsetForPartitionError):  # the latter: assigned, and not placed yet
            batches = {}
        except OffsetOutOfRangeError as error:
            batches = {}
            async with asyncio.timeout(REQUEST / 1000):
                for tp, offset in (await self._consumer.beginning_offsets(list(error.args[0]))).items():
                    self._search(tp, offset)
        self._waited += time.monotonic() - began
        return self._sifted(batches)

    def _sifted(self, batches: Mapping[TopicPartition, Sequence[Any]]) -> list[Message]:
        messages: list[Message] = []
        for tp, records in batches.items():
            place = self._places.get(tp.partition)
            if place is None:
                continue
            place.next, place.moved = records[-1].offset + 1, self._waited
            hole = place.hole
            try:
                found = place.sift(records)
            except Elsewhere:
                self._search(tp, 0)  # nothing is awaited here: what other partitions gave is in hand
                found = []
            tell(self.service, tp.partition, place, hole)
            messages += [Message(tp.partition, record.offset, record.value, None) for record in found]
        return messages

    def _place(self, partition: int, mark: Mark) -> None:
        place = self._places[partition] = Place(mark, now=self._waited, genuine=self._signatures.genuine_record)
        self._consumer.seek(TopicPartition(self.topic, partition), place.next)

    def _search(self, tp: TopicPartition, offset: int) -> None:
        """Look for the next position from the topic's beginning."""
        if (place := self._places.get(tp.partition)) is not None:
            _logger.warning("topic is searched from its beginning", topic=tp.topic, partition=tp.partition)
            place.restart(offset)
            self._consumer.seek(tp, offset)

    async def _take_over(self) -> None:
        """Place the partitions that the group has just assigned."""
        assert self._marks is not None
        fresh = sorted(tp.partition for tp in self._consumer.assignment() if tp.partition not in self._places)
        if not fresh:
            return
        assignment = self._assignments
        marks = await self._marks(fresh)
        if assignment == self._assignments:
            for partition in fresh:
                self._place(partition, marks.get(partition, BEGINNING))

    # Watching

    def _check(self) -> None:
        """Every so often, whether what is silent should be. Raises `BROKER_AWAY` when records wait that do not come."""
        if self._checking is not None and self._checking.done():
            checking, self._checking = self._checking, None
            found = checking.result()
            if isinstance(found, str):
                raise TimeoutError(found)
            for partition in found:
                self._search(TopicPartition(self.topic, partition), 0)
            self._look_again()
        elif self._checking is None and self._waited - self._checked >= self._silence / 2:
            self._checked = self._waited
            self._checking = asyncio.create_task(self._ask(), name=f"watch-{self.topic}")

    def _look_again(self) -> None:
        """Look for what is missing; read what came last where nothing comes: it tells whether the topic is the same."""
        for partition, place in self._places.items():
            if place.search_again(self._waited):
                self._search(TopicPartition(self.topic, partition), 0)
            elif self._waited - place.moved >= self._silence:
                place.moved = self._waited
                if (offset := place.check()) is not None:
                    self._consumer.seek(TopicPartition(self.topic, partition), offset)

    async def _ask(self) -> str | list[int]:
        """What is wrong with the consumer, or else the partitions that the topic has less of than was read."""
        silent = {p: place.next for p, place in self._places.items() if self._waited - place.moved >= self._silence}
        if not silent:
            return []
        try:
            ends = await self.heads()
        except Unavailable as error:
            return error.detail
        return judge(self._places, silent, ends)
