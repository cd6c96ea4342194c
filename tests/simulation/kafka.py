"""What the kernel holds of aiokafka: producer, consumer and administrator, as far as it uses them, over `broker.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition, errors

from shared.events.envelope import from_wire
from shared.kafka.signature import Headers
from tests.simulation.broker import Broker, Sent
from tests.simulation.loop import OUTSIDE, PROCESS

ROUND_TRIP = 2.5


class Client:
    """Common to the three; `broker` is set by the world."""

    broker: Broker

    def __init__(self, *_: Any, request_timeout_ms: int = 40_000, **__: Any) -> None:
        self._timeout = min(request_timeout_ms / 1000, 5.0)
        self._number = self.broker.number()
        self._closed = False
        self.client = SimpleNamespace(close=self._close)

    async def start(self) -> None:
        await self._ask(lambda: None)

    async def _close(self) -> None:
        self._closed = True

    async def _ask(self, operate: Any) -> Any:
        return await self.broker.request(operate, self._timeout)


class Batch:
    """`aiokafka`'s batch builder: it takes as many records as fit; how many do is the seed's."""

    def __init__(self, room: int) -> None:
        self.records: list[Sent] = []
        self._room = room

    def append(self, *, key: bytes, value: bytes, timestamp: int, headers: Headers) -> object | None:
        if len(self.records) >= self._room:
            return None
        self.records.append((key, value, timestamp, headers))
        return self

    def close(self) -> None:
        """Nothing more is taken."""

    def size(self) -> int:
        return sum(len(value) for _, value, *_ in self.records)


class Producer(Client):
    """Idempotent: what is sent is tried again until it is acknowledged, the producer is closed, or it can never be."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._sender = SimpleNamespace(sender_task=None)
        self._sequences: dict[int, int] = {}
        self._process = PROCESS.get()

    def create_batch(self) -> Batch:
        faults = self.broker.faults
        return Batch(faults.random.choice([1, 2, 3, 10_000]) if faults.on else 10_000)

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Any]:
        if self._closed:
            raise errors.ProducerClosed
        sequence = self._sequences[partition] = self._sequences.get(partition, 0) + 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._try(batch, topic, partition, sequence, future)
        return future

    def _try(self, batch: Batch, topic: str, partition: int, sequence: int, future: asyncio.Future[Any]) -> None:
        """One request. Nobody who has let go of the producer stops it any more; it arrives when it arrives."""
        process = self._process
        if self._closed or future.done() or (process is not None and not process.alive):
            return
        loop, faults = asyncio.get_running_loop(), self.broker.faults
        fault = faults.network(frozenset({"request lost", "reply lost", "delay", "duplicate"}))
        delay = faults.latency() * 2 + (faults.delay() if fault == "delay" else 0.0)
        heard = fault not in ("request lost", "reply lost")

        def arrive(heard: bool) -> None:
            try:
                if self.broker.away:
                    raise errors.KafkaConnectionError
                offset = self.broker.append(topic, partition, self._number, sequence, batch.records)
            except errors.KafkaError:
                return
            if heard and not future.done():
                future.set_result(SimpleNamespace(offset=offset))

        if fault != "request lost":
            loop.call_later(delay, arrive, heard, context=OUTSIDE)
        if fault == "duplicate":  # the broker has forgotten the producer: the same batch is taken twice
            loop.call_later(delay + faults.delay(), self._again, batch, topic, partition, context=OUTSIDE)
        loop.call_later(ROUND_TRIP, self._try, batch, topic, partition, sequence, future, context=OUTSIDE)

    def _again(self, batch: Batch, topic: str, partition: int) -> None:
        if topic in self.broker.topics and not self.broker.away:
            self.broker.append(topic, partition, self.broker.number(), 1, batch.records)


class Consumer(Client):
    """Reads from where it was told to; a partition that is not placed, or placed beyond the end, raises."""

    def __init__(self, *given: Any, group_id: str | None = None, **more: Any) -> None:
        super().__init__(*given, **more)
        self._group = group_id
        self._topic: str | None = None
        self._listener: Any = None
        self._positions: dict[TopicPartition, int | None] = {}
        self._generation = -1
        self._turn = 0
        self.silent_until = 0.0
        self.broker.consumers.append(self)

    @property
    def closed(self) -> bool:
        return self._closed

    def subscribe(self, topics: Sequence[str], listener: Any = None) -> None:
        (self._topic,), self._listener = topics, listener

    def pause(self, *partitions: TopicPartition) -> None:
        for tp in partitions:
            del self._positions[tp]

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._positions = dict.fromkeys(partitions)

    def assignment(self) -> list[TopicPartition]:
        return list(self._positions)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        if tp not in self._positions:
            raise errors.IllegalStateError(f"{tp} is not assigned")
        self._positions[tp] = offset

    async def stop(self) -> None:
        self._closed = True
        self.broker.consumers.remove(self)
        if self._group is not None:
            self.broker.leave(self._group, self._number)

    async def topics(self) -> set[str]:
        return set(await self._ask(lambda: list(self.broker.topics)))

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        wanted = list(partitions)
        ends: dict[TopicPartition, int] = await self._ask(
            lambda: {tp: len(self.broker.topic(tp.topic).partitions[tp.partition]) for tp in wanted}
        )
        return ends

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        wanted = list(partitions)
        begins: dict[TopicPartition, int] = await self._ask(lambda: dict.fromkeys(wanted, 0))
        return begins

    async def getmany(self, timeout_ms: int = 0, max_records: int | None = None) -> dict[TopicPartition, list[Any]]:
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_ms / 1000
        while True:
            if self._group is not None:
                self._share(loop.time())
            if loop.time() >= self.silent_until and not self.broker.away:
                found = self._take(max_records)
                if found:
                    return found
            left = until - loop.time()
            if left <= 0:
                await asyncio.sleep(0.0005)  # a clock that only jumps would let a caller of the last millisecond spin
                return {}
            await self.broker.news(left)
            await asyncio.sleep(self.broker.faults.latency())

    def _share(self, now: float) -> None:
        """Hear from the group what is whose."""
        assert self._group is not None
        assert self._topic is not None
        if self.broker.away:
            return
        group = self.broker.heartbeat(self._group, self._topic, self._number, now)
        if group.generation != self._generation:
            self._generation = group.generation
            if self._listener is not None:
                self._listener.on_partitions_revoked(())
            share = group.share_of(self._number, self.broker.default_partitions)
            self._positions = {TopicPartition(self._topic, partition): None for partition in share}
            if self._listener is not None:
                self._listener.on_partitions_assigned(())

    def _take(self, max_records: int | None) -> dict[TopicPartition, list[Any]]:
        room = 1_000 if max_records is None else max_records
        found: dict[TopicPartition, list[Any]] = {}
        order = list(self._positions)
        self._turn += 1
        for tp in order[self._turn % len(order) :] + order[: self._turn % len(order)] if order else ():
            position = self._positions[tp]
            if position is None:
                raise errors.NoOffsetForPartitionError(tp)
            topic = self.broker.topics.get(tp.topic)
            if topic is None:
                continue
            records = topic.partitions[tp.partition]
            if position > len(records):
                raise errors.OffsetOutOfRangeError({tp: position})
            if room and position < len(records):
                found[tp] = records[position : position + room]
                room -= len(found[tp])
        for tp, records in found.items():
            self._positions[tp] = records[-1].offset + 1
        return found


class Admin(Client):
    """Answers in the broker's own words, as aiokafka's administrator passes them on."""

    async def close(self) -> None:
        await self._close()

    async def list_topics(self) -> list[str]:
        return list(await self._ask(lambda: list(self.broker.topics)))

    async def describe_topics(self, names: Sequence[str]) -> list[dict[str, Any]]:
        def describe() -> list[dict[str, Any]]:
            return [
                {
                    "topic": name,
                    "error_code": 0 if name in self.broker.topics else errors.UnknownTopicOrPartitionError.errno,
                    "partitions": [
                        {"error_code": 0, "partition": n} for n, _ in enumerate(self.broker.topics[name].partitions)
                    ]
                    if name in self.broker.topics
                    else [],
                }
                for name in names
            ]

        found: list[dict[str, Any]] = await self._ask(describe)
        return found

    async def describe_configs(self, resources: Sequence[Any]) -> list[Any]:
        def describe() -> list[Any]:
            return [SimpleNamespace(resources=[settings(each.name)]) for each in resources]

        def settings(name: str) -> tuple[Any, ...]:
            topic = self.broker.topics.get(name)
            if topic is None:
                return errors.UnknownTopicOrPartitionError.errno, None, 2, name, []
            return 0, None, 2, name, list(topic.settings.items())

        found: list[Any] = await self._ask(describe)
        return found

    async def create_topics(self, topics: Sequence[Any]) -> Any:
        def create() -> Any:
            made = [
                (each.name, self.broker.create(each.name, each.num_partitions, each.topic_configs).errno, None)
                for each in topics
            ]
            return SimpleNamespace(topic_errors=made)

        return await self._ask(create)

    async def delete_topics(self, names: Sequence[str]) -> None:
        for name in names:
            await self._ask(partial(self.broker.delete, name))


@lru_cache(maxsize=4096)
def position(value: bytes) -> int:
    """The log's position of a record on a topic."""
    return from_wire(value).position
