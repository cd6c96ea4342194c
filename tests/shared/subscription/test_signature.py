"""A record that the log did not write is no record of the log's, whatever it says and wherever it stands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client import REGISTRY
from pydantic import SecretStr
from structlog.testing import capture_logs

from shared.events.envelope import to_wire
from shared.events.event import Recorded
from shared.kafka.signature import HEADER, Headers, Signatures
from shared.kafka.topics import topic_of
from shared.settings import Settings
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.source import BEGINNING, Mark
from tests.shared.subscription.source_conformance import (
    PARTITIONS,
    all_from,
    every,
    mark_of,
    positions,
    record_of,
    take,
)
from tests.shared.subscription.topic_feed import TopicFeed
from tests.stack import Stack

SIGNED = {"record_secret": SecretStr("new")}


@pytest.fixture
def settings(stack: Stack) -> Settings:
    return Settings(kafka=stack.kafka, partitions=PARTITIONS, record_secret=SecretStr("new"))


@dataclass
class Stranger:
    """Somebody who may write to the topic, and has read it."""

    feed: TopicFeed

    async def write(self, value: bytes, headers: Headers = (), partition: int = 0, topic: str | None = None) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.feed.settings.kafka) as producer:
            await producer.send_and_wait(
                topic or topic_of(self.feed.log.service), value, partition=partition, headers=list(headers)
            )

    async def read(self, offset: int, partition: int = 0) -> tuple[bytes, Headers]:
        place = TopicPartition(topic_of(self.feed.log.service), partition)
        async with AIOKafkaConsumer(bootstrap_servers=self.feed.settings.kafka) as consumer:
            consumer.assign([place])
            consumer.seek(place, offset)
            record = await consumer.getone()
            return record.value, record.headers

    async def last(self, partition: int = 0) -> Recorded:
        head = (await self.feed.log.heads())[partition]
        return (await self.feed.log.follow(partition, head - 1, 1))[0]

    async def next_event(self, partition: int = 0, **changes: object) -> bytes:
        """An event of the position that comes next."""
        last = await self.last(partition)
        made = {"id": uuid4(), "position": last.position + 1, "data": b'{"amount":1000}', **changes}
        return to_wire(msgspec.structs.replace(last, **made))


async def unsigned(by: Stranger) -> None:
    await by.write(await by.next_event())


async def a_role(by: Stranger) -> None:
    granted = b'{"member_id":"00000000-0000-7000-8000-000000000001","role":"owner"}'
    await by.write(await by.next_event(type="guildhall.member.role-granted.v1", data=granted))


async def unsigned_far_ahead(by: Stranger) -> None:
    await by.write(await by.next_event(position=1000))


async def under_another_key(by: Stranger) -> None:
    thief = by.feed.settings.model_copy(update={"record_secret": SecretStr("guessed")})
    value = await by.next_event()
    await by.write(value, Signatures(thief, by.feed.log.service).sign(0, value))


async def under_a_stolen_signature(by: Stranger) -> None:
    _, headers = await by.read(3)
    await by.write(await by.next_event(), headers)


async def with_one_bit_changed(by: Stranger) -> None:
    value, headers = await by.read(3)
    await by.write(value[:-3] + bytes([value[-3] ^ 1]) + value[-2:], headers)


async def with_an_empty_signature(by: Stranger) -> None:
    await by.write(await by.next_event(), [(HEADER, b"")])


async def with_half_a_signature(by: Stranger) -> None:
    value, headers = await by.read(3)
    await by.write(value, [(HEADER, headers[0][1][:16])])


async def with_the_right_signature_second(by: Stranger) -> None:
    value, headers = await by.read(3)
    await by.write(value, [(HEADER, b"x" * 32), *headers])


async def from_another_partition(by: Stranger) -> None:
    await by.write(*await by.read(3, partition=1))


async def of_another_topic(by: Stranger) -> None:
    other = TopicFeed(by.feed.settings)
    await by.write(
        (value := await by.next_event(service=other.log.service)),
        Signatures(by.feed.settings, other.log.service).sign(0, value),
    )


async def garbage(by: Stranger) -> None:
    await by.write(b"garbage")


async def a_tombstone(by: Stranger) -> None:
    async with AIOKafkaProducer(bootstrap_servers=by.feed.settings.kafka) as producer:
        await producer.send_and_wait(topic_of(by.feed.log.service), key=b"key", partition=0)


FORGERIES = [
    unsigned,
    a_role,
    unsigned_far_ahead,
    under_another_key,
    under_a_stolen_signature,
    with_one_bit_changed,
    with_an_empty_signature,
    with_half_a_signature,
    with_the_right_signature_second,
    from_another_partition,
    of_another_topic,
    garbage,
    a_tombstone,
]


@asynccontextmanager
async def reading(
    feed: TopicFeed, after: Mark = BEGINNING, settings: Settings | None = None
) -> AsyncIterator[KafkaSource]:
    source = KafkaSource(settings or feed.settings, feed.log.service)
    await source.start(all_from(after))
    yield source
    await source.close()


def counted(service: str) -> float:
    return REGISTRY.get_sample_value("guildhall_stream_foreign_total", {"service": service}) or 0.0


@pytest.mark.parametrize("forge", FORGERIES)
async def test_what_the_log_did_not_write_is_not_handed_out_and_takes_no_position(
    feed: TopicFeed, forge: Callable[[Stranger], Awaitable[None]]
) -> None:
    await feed.add(5)
    async with reading(feed) as source:
        read = await take(source, 5 * PARTITIONS)
        with capture_logs() as logs:
            await forge(Stranger(feed))
            await feed.add(2)
            read += await take(source, 2 * PARTITIONS)
    async with reading(feed) as source:
        again = await take(source, 7 * PARTITIONS)

    assert positions(read) == positions(again) == every(1, 7)
    log = {p: await feed.log.follow(p, 0, 100) for p in range(PARTITIONS)}
    assert all(record_of(m) == log[m.partition][record_of(m).position - 1] for m in (*read, *again))
    told = [line for line in logs if line["event"] == "record is not the log's"]
    assert [(line["topic"], line["partition"], line["offset"]) for line in told] == [(topic_of(feed.log.service), 0, 5)]
    assert counted(feed.log.service) == 2  # once for each of the two readers


async def test_a_record_of_the_logs_that_is_put_there_again_is_a_repeat(feed: TopicFeed) -> None:
    await feed.add(5)
    stranger = Stranger(feed)
    await stranger.write(*await stranger.read(1))
    await feed.add(1)
    async with reading(feed) as source:
        read = await take(source, 6 * PARTITIONS + 1)

    assert positions(read) == {0: [1, 2, 3, 4, 5, 2, 6], 1: [1, 2, 3, 4, 5, 6], 2: [1, 2, 3, 4, 5, 6]}
    assert counted(feed.log.service) == 0


async def test_a_reader_begins_after_a_mark_that_a_forgery_stands_behind(feed: TopicFeed) -> None:
    await feed.add(5)
    async with reading(feed) as source:
        mark = mark_of([m for m in await take(source, 5 * PARTITIONS) if m.partition == 0][-1])
    await unsigned(Stranger(feed))
    await feed.add(1)
    source = KafkaSource(feed.settings, feed.log.service)
    await source.start({0: mark})
    read = await take(source, 1)
    await source.close()

    assert positions(read) == {0: [6]}


async def test_nothing_is_missed_where_there_is_nothing_but_forgeries_for_a_while(feed: TopicFeed) -> None:
    await feed.add(1)
    source = KafkaSource(feed.settings, feed.log.service, silence=2.0)
    await source.start(all_from(BEGINNING))
    await take(source, PARTITIONS)
    for _ in range(5):
        await unsigned(Stranger(feed))
        assert await take(source, 1, within=0.9) == []
    await feed.add(1)
    read = await take(source, PARTITIONS)
    await source.close()

    assert positions(read) == every(2, 2)
    assert source._consumer.rebuilt == 0
    assert counted(feed.log.service) == 5


@pytest.mark.parametrize(
    ("readers", "believed"), [("new,old", True), ("old,new", True), (" old ", True), ("new", False), ("", True)]
)
async def test_while_a_key_is_changed_both_are_believed(feed: TopicFeed, readers: str, believed: bool) -> None:
    old = TopicFeed(feed.settings.model_copy(update={"record_secret": SecretStr("old")}))
    old.log = feed.log
    await old.add(3)
    await old.close()
    changed = feed.settings.model_copy(update={"record_secret": SecretStr(readers)})
    async with reading(feed, settings=changed) as source:
        read = await take(source, 3 * PARTITIONS, within=20 if believed else 1.0)

    assert positions(read) == (every(1, 3) if believed else {})


async def test_without_a_key_records_carry_no_signature_and_all_are_believed(stack: Stack) -> None:
    feed = TopicFeed(Settings(kafka=stack.kafka, partitions=PARTITIONS))
    await feed.recreate()
    await feed.add(1)

    assert (await Stranger(feed).read(0))[1] == ()
    async with reading(feed) as source:
        assert positions(await take(source, PARTITIONS)) == every(1, 1)
    await feed.close()


async def test_who_does_not_care_for_signatures_reads_what_was_always_there(feed: TopicFeed) -> None:
    await feed.add(1)

    value, headers = await Stranger(feed).read(0)

    assert value == to_wire((await feed.log.follow(0, 0, 1))[0])
    assert [name for name, _ in headers] == [HEADER]
