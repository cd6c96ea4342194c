"""A topic is a source, also when it is filled again and when its broker is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from shared.kafka.topics import ensure_topics
from shared.settings import Settings
from shared.subscription import kafka_source
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.source import BEGINNING, Mark
from tests.shared.subscription.source_conformance import (
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
from tests.shared.subscription.topic_feed import TopicFeed


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
    assert source._consumer.problem is not None
    assert "guildhall topics" in source._consumer.problem

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

    assert time.monotonic() - began < 10
    await source.close()


async def test_a_consumer_that_has_silently_stopped_is_made_anew(feed: TopicFeed) -> None:
    source = KafkaSource(feed.settings, feed.log.service, silence=1)
    await feed.add(5)
    await source.start(all_from(BEGINNING))
    await take(source, 15)

    source._consumer.current._fetcher._fetch_task.cancel()
    await feed.add(5)

    assert positions(await take(source, 15)) == every(6, 10)
    assert source._consumer.rebuilt == 1
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

    assert sorted(delays)[15] < 1  # far above what is usual (4 ms), far below the wait


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
