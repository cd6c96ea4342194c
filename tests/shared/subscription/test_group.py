"""Readers share a topic's partitions out and read everything once, while they come, go and fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import pytest

from shared.settings import Settings
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.source import BEGINNING, Mark, Message
from tests.shared.subscription.source_conformance import PARTITIONS, every, mark_of, positions, record_of
from tests.shared.subscription.topic_feed import TopicFeed


class Member:
    """A reader that shares a group's partitions; `marks` is what the group's database would hold."""

    def __init__(self, settings: Settings, service: str, marks: dict[int, Mark]) -> None:
        self.source = KafkaSource(settings, service, group=f"readers-{service}", marks=self._marks)
        self.marks = marks
        self.asked: list[Sequence[int]] = []
        self.read: list[Message] = []
        self.task = asyncio.create_task(self._run())

    async def _marks(self, partitions: Sequence[int]) -> Mapping[int, Mark]:
        self.asked.append(partitions)
        return {partition: self.marks[partition] for partition in partitions if partition in self.marks}

    async def _run(self) -> None:
        await self.source.start({})
        while True:
            for message in await self.source.read(100, 0.2):
                position = record_of(message).position
                known = self.marks.get(message.partition, BEGINNING).position
                assert position <= known + 1, "a position was left out"
                if position == known + 1:
                    self.marks[message.partition] = mark_of(message)
                    self.read.append(message)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.source.close()


async def read_up_to(marks: dict[int, Mark], position: int, *, within: float = 30) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        if all(marks.get(p, BEGINNING).position == position for p in range(PARTITIONS)):
            return True
        await asyncio.sleep(0.02)
    return False


async def test_a_group_reads_everything_once_while_members_come_and_go(feed: TopicFeed) -> None:
    marks: dict[int, Mark] = {}
    await feed.add(20)
    one = Member(feed.settings, feed.log.service, marks)
    assert await read_up_to(marks, 20)

    two = Member(feed.settings, feed.log.service, marks)
    while not two.asked:
        await feed.add(1)
        await asyncio.sleep(0.1)
    await feed.add(5)
    both = feed.sent[0]
    assert await read_up_to(marks, both)
    assert two.read
    await one.stop()
    await feed.add(5)

    assert await read_up_to(marks, both + 5)
    handed = positions([*one.read, *two.read])
    assert {p: sorted(found) for p, found in handed.items()} == every(1, both + 5)
    await two.stop()


async def test_a_member_whose_group_task_has_died_joins_again(feed: TopicFeed) -> None:
    marks: dict[int, Mark] = {}
    member = Member(feed.settings, feed.log.service, marks)
    await feed.add(5)
    assert await read_up_to(marks, 5)

    member.source._consumer.current._coordinator._coordination_task.cancel()
    await asyncio.sleep(3)
    await feed.add(5)

    assert await read_up_to(marks, 10)
    assert member.source._consumer.rebuilt == 1
    await member.stop()


async def test_the_group_is_not_left_where_the_database_of_the_marks_is_away(feed: TopicFeed) -> None:
    await feed.add(5)
    away = True

    async def marks(partitions: Sequence[int]) -> Mapping[int, Mark]:
        if away:
            raise ConnectionRefusedError("the database is away")
        return {}

    source = KafkaSource(feed.settings, feed.log.service, group="readers-away", marks=marks)
    await source.start({})

    async def read() -> list[Message]:
        messages: list[Message] = []
        async with asyncio.timeout(30):
            while len(messages) < 5 * PARTITIONS:
                messages += await source.read(100, 0.2)
        return messages

    with pytest.raises(ConnectionRefusedError, match="the database is away"):
        await read()
    away = False
    await read()

    assert source._consumer.rebuilt == 0
    await source.close()
