"""A topic is a source, also when it is filled again, when its broker is away, and when its readers are shared out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from shared.errors import Unavailable
from shared.log.memory import MemoryLog
from shared.relay.producer import Producer
from shared.settings import Settings
from shared.stream import kafka_source
from shared.stream.kafka_source import KafkaSource
from shared.stream.source import BEGINNING, Mark, Message
from shared.stream.topics import ensure_topics, topic_of
from tests.shared.stream.source_conformance import (
    PARTITIONS,
    SourceConformance,
    all_from,
    append,
    every,
    mark_of,
    positions,
    record_of,
    take,
)
from tests.stack import Stack


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


@pytest.fixture
def settings(stack: Stack) -> Settings:
    return Settings(kafka=stack.kafka, partitions=PARTITIONS)


@pytest.fixture
async def feed(settings: Settings) -> AsyncIterator[TopicFeed]:
    feed = TopicFeed(settings)
    await ensure_topics(settings, [feed.log.service])
    yield feed
    await feed.close()


@pytest.fixture
async def source(feed: TopicFeed) -> AsyncIterator[KafkaSource]:
    source = KafkaSource(feed.settings, feed.log.service)
    yield source
    await source.close()


class TestKafkaSource(SourceConformance):
    pass


async def test_repeats_on_the_topic_are_handed_out_and_no_position_is_left_out(
    feed: TopicFeed, source: KafkaSource
) -> None:
    await feed.add(10)
    await feed.put(0, 4)
    await source.start({0: Mark(7)})

    assert positions(await take(source, 9)) == {0: [8, 9, 10, 5, 6, 7, 8, 9, 10]}


async def test_a_hint_that_is_wrong_is_looked_through(feed: TopicFeed, source: KafkaSource) -> None:
    await feed.add(10)
    await source.start({0: Mark(2, 8), 1: Mark(2, 500), 2: Mark(8, 2)})

    assert positions(await take(source, 18)) == {0: list(range(3, 11)), 1: list(range(3, 11)), 2: [9, 10]}


async def test_a_topic_that_was_made_again_and_ends_where_the_old_one_did_is_noticed(feed: TopicFeed) -> None:
    source = KafkaSource(feed.settings, feed.log.service, silence=0.5)
    await feed.add(7)
    await source.start({0: Mark(5, 6)})  # as left by a topic on which two positions stood twice

    assert positions(await take(source, 2, above=5)) == {0: [6, 7]}
    await source.close()


async def test_a_topic_that_is_made_again_is_read_on_when_it_has_been_filled(
    feed: TopicFeed, source: KafkaSource
) -> None:
    await feed.add(10)
    await source.start(all_from(BEGINNING))
    await take(source, 30)

    await feed.recreate()
    assert await source.read(10, 0.5) == []
    for partition in range(PARTITIONS):
        await feed.put(partition, 0)
    await feed.add(2)

    assert positions(await take(source, 6, above=10)) == every(11, 12)


async def test_positions_before_a_hole_is_filled_are_not_handed_out(feed: TopicFeed, source: KafkaSource) -> None:
    await append(feed.log, 10)
    await feed.put(0, 6)  # a producer wrote to the topic that had just been made again
    await source.start({0: Mark(4, 3)})
    assert await source.read(10, 0.5) == []

    await feed.put(0, 0)

    assert positions(await take(source, 6, above=4)) == {0: [5, 6, 7, 8, 9, 10]}


async def test_a_hole_does_not_make_the_reader_go_round_and_round(feed: TopicFeed, source: KafkaSource) -> None:
    await append(feed.log, 10)
    await feed.put(0, 0, limit=4)
    await feed.put(0, 6)
    await source.start({0: BEGINNING})
    messages = await take(source, 8)
    assert positions(messages) == {0: [1, 2, 3, 4, 7, 8, 9, 10]}

    await source.seek(0, mark_of(messages[3]))  # as a reader does that finds 7 after 4

    assert [await source.read(10, 0.2) for _ in range(4)] == [[]] * 4


async def test_repeats_at_a_topics_end_let_the_reader_know_how_far_the_topic_was_looked_through(
    feed: TopicFeed, source: KafkaSource
) -> None:
    await append(feed.log, 10)
    await feed.put(0, 0)
    await feed.put(0, 6)  # a relay that was killed before its checkpoint sends the last four again

    await source.start({0: Mark(10, 9)})
    messages = await take(source, 1)

    assert [(record_of(m).position, m.offset) for m in messages] == [(10, 13)]


async def test_a_topic_that_is_missing_is_waited_for(settings: Settings) -> None:
    feed = TopicFeed(settings)
    source = KafkaSource(settings, feed.log.service)
    await source.start(all_from(BEGINNING))
    assert await source.read(10, 0.3) == []
    with pytest.raises(Unavailable, match="guildhall topics"):
        await source.heads()

    await ensure_topics(settings, [feed.log.service])
    await feed.add(3)

    assert positions(await take(source, 9)) == every(1, 3)
    await source.close()
    await feed.close()


async def test_a_broker_that_is_away_ends_no_read_in_an_error(settings: Settings) -> None:
    source = KafkaSource(settings.model_copy(update={"kafka": "127.0.0.1:9"}), "toy")
    await source.start(all_from(BEGINNING))

    began = time.monotonic()
    assert await source.read(10, 0.5) == []

    assert time.monotonic() - began < 1
    await source.close()


async def test_a_consumer_that_has_silently_stopped_is_made_anew(feed: TopicFeed) -> None:
    source = KafkaSource(feed.settings, feed.log.service, silence=1)
    await feed.add(5)
    await source.start(all_from(BEGINNING))
    await take(source, 15)

    source._consumer._fetcher._fetch_task.cancel()
    await feed.add(5)

    assert positions(await take(source, 15)) == every(6, 10)
    assert source.rebuilt == 1
    await source.close()


async def test_a_record_is_read_within_milliseconds_of_its_writing(feed: TopicFeed, source: KafkaSource) -> None:
    await feed.add(1)
    await source.start(all_from(BEGINNING))
    await take(source, 3)
    delays: list[float] = []

    for _ in range(30):
        reading = asyncio.create_task(source.read(10, 5))
        await asyncio.sleep(0.03)
        written = time.monotonic()
        await append(feed.log, 1)
        await feed.put(1, feed.sent[1], limit=1)
        feed.sent[1] += 1
        await reading
        delays.append(time.monotonic() - written)

    assert sorted(delays)[15] < 0.05  # far above what is usual (4 ms), far below any wait


async def test_what_came_during_a_batch_is_read_with_the_next_one(
    feed: TopicFeed, source: KafkaSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_source, "GLANCE", 1.0)
    await feed.add(1)
    await source.start(all_from(BEGINNING))
    await take(source, 3)
    together = 0

    for _ in range(6):
        await append(feed.log, 1)
        for partition in range(PARTITIONS):  # the fetch under way answers with the first of them
            await feed.put(partition, feed.sent[partition], limit=1)
            feed.sent[partition] += 1
            await asyncio.sleep(0.02)
        batch = await source.read(10, 5)
        together += len(batch) == PARTITIONS
        await take(source, PARTITIONS - len(batch))

    assert together >= 4  # all of them, unless the machine slept for longer than the consumer waits


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

    member.source._consumer._coordinator._coordination_task.cancel()
    await asyncio.sleep(3)
    await feed.add(5)

    assert await read_up_to(marks, 10)
    assert member.source.rebuilt == 1
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

    assert source.rebuilt == 0
    await source.close()
