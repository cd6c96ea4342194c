"""A broker in memory: topics that can be lost and made anew, idempotent appends, groups that share partitions out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from aiokafka import errors

from shared.kafka.signature import Headers
from tests.simulation.faults import Faults
from tests.simulation.loop import OUTSIDE, PROCESS, never

SESSION = 10.0
"""Seconds of silence after which a group takes a member for gone."""
DEFAULTS = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete", "max.message.bytes": "1048588"}
ALLOWED = frozenset({"request lost", "reply lost", "delay", "crash", "duplicate"})


Sent: TypeAlias = tuple[bytes, bytes, int, Headers]
"""Key, value, time and headers of a record."""


class Record(NamedTuple):
    offset: int
    key: bytes
    value: bytes
    timestamp: int
    headers: Headers
    partition: int


@dataclass
class Topic:
    """`partitions` hold the records by offset; `seen` the last sequence of each producer, with its offset."""

    partitions: list[list[Record]]
    settings: dict[str, str]
    seen: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)


@dataclass
class Member:
    """`generation` is the one it has heard of; `heard` when it was last heard of."""

    heard: float
    generation: int = -1


@dataclass
class Group:
    topic: str
    generation: int = 0
    members: dict[int, Member] = field(default_factory=dict)

    def share_of(self, member: int, partitions: int) -> list[int]:
        """Who is given what; the order of joining decides."""
        order = list(self.members)
        return [p for p in range(partitions) if order[p % len(order)] == member]


class Broker:
    """`appended` is told of every batch a topic takes: its name, the partition, the records."""

    def __init__(self, faults: Faults, partitions: int) -> None:
        self.faults = faults
        self.default_partitions = partitions
        self.topics: dict[str, Topic] = {}
        self.groups: dict[str, Group] = {}
        self.away = self.over = False
        self.appended: list[Callable[[str, int, list[Record]], None]] = []
        self.numbers = 0
        self.consumers: list[Any] = []
        """Those that were made and not stopped, so that one can be made to fall silent."""
        self._waiting: dict[asyncio.Future[None], None] = {}

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    # Topics

    def create(self, name: str, partitions: int, settings: Mapping[str, str]) -> type[errors.KafkaError]:
        if name in self.topics:
            return errors.TopicAlreadyExistsError  # type: ignore[no-any-return]
        self.topics[name] = Topic(
            [[] for _ in range(partitions)], {key: settings.get(key, value) for key, value in DEFAULTS.items()}
        )
        return errors.NoError  # type: ignore[no-any-return]

    def delete(self, name: str) -> None:
        self.topics.pop(name, None)

    def topic(self, name: str) -> Topic:
        topic = self.topics.get(name)
        if topic is None:
            raise errors.UnknownTopicOrPartitionError(name)
        return topic

    def append(self, name: str, partition: int, producer: int, sequence: int, batch: list[Sent]) -> int:
        """The offset of the first record; that of an earlier try where the producer has sent this before."""
        topic = self.topic(name)
        last = topic.seen.get((producer, partition))
        if last is not None and last[0] >= sequence:
            return last[1] if last[0] == sequence else -1
        records = topic.partitions[partition]
        first = len(records)
        new = [Record(first + n, *each, partition) for n, each in enumerate(batch)]
        records += new
        topic.seen[producer, partition] = (sequence, first)
        for watch in self.appended:
            watch(name, partition, new)
        self.wake()
        return first

    def wake(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def news(self, timeout: float) -> None:
        """Until something was appended, or for that long."""
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = None
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            pass
        finally:
            self._waiting.pop(future, None)

    # Groups

    def join(self, name: str, topic: str, member: int, now: float) -> None:
        group = self.groups.setdefault(name, Group(topic))
        group.members[member] = Member(now)
        group.generation += 1
        self.wake()

    def leave(self, name: str, member: int) -> None:
        group = self.groups.get(name)
        if group is not None and group.members.pop(member, None) is not None:
            group.generation += 1
            self.wake()

    def heartbeat(self, name: str, topic: str, member: int, now: float) -> Group:
        """Who has been silent for too long is out; one who was out joins again by this."""
        group = self.groups.setdefault(name, Group(topic))
        silent = [each for each, known in group.members.items() if now - known.heard > SESSION and each != member]
        for each in silent:
            self.leave(name, each)
        if member not in group.members or now - group.members[member].heard > SESSION:
            group.members.pop(member, None)
            self.join(name, topic, member, now)
        group.members[member].heard = now
        return group

    # The network

    async def request(self, operate: Callable[[], Any], timeout: float) -> Any:
        """Have the broker do something. Raises what it raises, or a `KafkaError` when request or reply is lost."""
        if self.over:
            raise errors.KafkaConnectionError("over")
        loop, faults = asyncio.get_running_loop(), self.faults
        future = loop.create_future()
        fault = faults.network(ALLOWED)
        delay = faults.latency() * 2
        if fault == "delay":
            delay += faults.delay()
        heard = fault not in ("request lost", "reply lost")
        if fault != "request lost":
            loop.call_later(delay, self._operate, operate, future, heard, context=OUTSIDE)
            if fault == "duplicate":
                loop.call_later(delay + faults.delay(), self._operate, operate, None, False, context=OUTSIDE)
        if fault == "crash":
            process = PROCESS.get()
            if process is not None:
                process.kill()
                await never()
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise errors.RequestTimedOutError from None

    def _operate(self, operate: Callable[[], Any], future: asyncio.Future[Any] | None, heard: bool) -> None:
        result, error = None, None
        if self.away:
            error = errors.KafkaConnectionError("simulated: the broker is away")
        else:
            try:
                result = operate()
            except errors.KafkaError as raised:
                error = raised
        if future is not None and heard and not future.done():
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
