"""What every source must do; an implementation's test module inherits this class and provides `feed` and `source`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import uuid4

from shared.events.envelope import from_wire
from shared.events.event import Recorded
from shared.log.port import Append, Log, NewEvent, Write, partition_of
from shared.subscription.source import BEGINNING, Mark, Message, Source
from tests.shared.toy import ALICE, COMMUNITY, NOON

PARTITIONS = 3


class Feed(Protocol):
    """Something to read from: `add` puts that many events into each partition and returns when they can be read."""

    log: Log

    async def add(self, events: int) -> None: ...


async def append(log: Log, events: int) -> None:
    """That many events in each partition, each its own stream."""
    wanted = dict.fromkeys(range(log.partitions), events)
    appends = []
    while any(wanted.values()):
        stream = uuid4()
        if wanted[partition_of(stream, log.partitions)]:
            wanted[partition_of(stream, log.partitions)] -= 1
            event = NewEvent(uuid4(), "guildhall.toy.deposited.v1", b'{"amount":1}')
            appends.append(Append(COMMUNITY, ALICE, NOON, None, (Write(stream, 0, (event,)),)))
    await asyncio.gather(*(log.append(one) for one in appends))


def record_of(message: Message) -> Recorded:
    if message.record is not None:
        return message.record
    assert message.value is not None
    return from_wire(message.value)


def mark_of(message: Message) -> Mark:
    return Mark(record_of(message).position, message.offset)


async def take(source: Source, count: int, *, limit: int = 1000, within: float = 20, above: int = 0) -> list[Message]:
    """The next `count` messages or more; what there is after `within` seconds. Positions up to `above` are repeats."""
    messages: list[Message] = []
    until = time.monotonic() + within
    while len(messages) < count and time.monotonic() < until:
        messages += [m for m in await source.read(limit, 0.2) if not above or record_of(m).position > above]
    return messages


def positions(messages: Sequence[Message]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for message in messages:
        found.setdefault(message.partition, []).append(record_of(message).position)
    return found


def every(first: int, last: int) -> dict[int, list[int]]:
    return {partition: list(range(first, last + 1)) for partition in range(PARTITIONS)}


def all_from(mark: Mark) -> Mapping[int, Mark]:
    return dict.fromkeys(range(PARTITIONS), mark)


class SourceConformance:
    async def test_everything_comes_in_order_from_the_beginning(self, feed: Feed, source: Source) -> None:
        await feed.add(50)
        await source.start(all_from(BEGINNING))

        messages = await take(source, 150)

        assert positions(messages) == every(1, 50)
        first = next(m for m in messages if m.partition == 1)
        assert record_of(first) == (await feed.log.follow(1, 0, 1))[0]

    async def test_a_read_takes_no_more_than_its_limit(self, feed: Feed, source: Source) -> None:
        await feed.add(20)
        await source.start(all_from(BEGINNING))

        reads: list[Sequence[Message]] = []
        while sum(map(len, reads)) < 60:
            reads.append(await source.read(7, 2))

        assert max(map(len, reads)) <= 7
        assert positions([m for messages in reads for m in messages]) == every(1, 20)

    async def test_reading_begins_after_the_marks(self, feed: Feed, source: Source) -> None:
        await feed.add(10)
        await source.start({0: Mark(10, 9), 1: Mark(4, 3), 2: BEGINNING})

        assert positions(await take(source, 16)) == {1: [5, 6, 7, 8, 9, 10], 2: list(range(1, 11))}

    async def test_a_mark_without_an_offset_is_found(self, feed: Feed, source: Source) -> None:
        await feed.add(10)
        await source.start(all_from(Mark(7)))

        assert positions(await take(source, 9)) == every(8, 10)

    async def test_only_the_partitions_asked_for_are_read(self, feed: Feed, source: Source) -> None:
        await feed.add(5)
        await source.start({2: BEGINNING})

        assert positions(await take(source, 5)) == {2: [1, 2, 3, 4, 5]}
        assert await source.read(10, 0.3) == []

    async def test_nothing_is_an_answer_after_the_wait(self, feed: Feed, source: Source) -> None:
        await source.start(all_from(BEGINNING))
        await source.read(10, 1)

        began = time.monotonic()
        assert await source.read(10, 0.4) == []

        assert 0.3 < time.monotonic() - began < 10

    async def test_what_is_added_comes_without_a_full_wait(self, feed: Feed, source: Source) -> None:
        await feed.add(1)
        await source.start(all_from(BEGINNING))
        await take(source, 3)

        reading = asyncio.create_task(source.read(10, 10))
        await asyncio.sleep(0.4)
        added = time.monotonic()
        await feed.add(1)
        await reading

        assert time.monotonic() - added < 5  # half of the wait

    async def test_seeking_brings_back_what_was_handed_out(self, feed: Feed, source: Source) -> None:
        await feed.add(10)
        await source.start(all_from(BEGINNING))
        first = await take(source, 30)
        sixth = next(m for m in first if m.partition == 1 and record_of(m).position == 6)

        await source.seek(1, mark_of(sixth))
        assert positions(await take(source, 4)) == {1: [7, 8, 9, 10]}
        await source.seek(1, BEGINNING)
        assert positions(await take(source, 10)) == {1: list(range(1, 11))}

    async def test_seeking_undoes_a_read_of_everything_that_waits(self, feed: Feed, source: Source) -> None:
        await feed.add(30)
        await source.start(all_from(BEGINNING))
        marks = dict(all_from(BEGINNING))
        done: list[Message] = []

        for attempt in range(100):
            if len(done) == 90:
                break
            messages = await source.read(20, 1)
            if attempt % 2:  # the transaction fails: everything touched goes back
                for partition in {m.partition for m in messages}:
                    await source.seek(partition, marks[partition])
                continue
            done += messages
            marks |= {m.partition: mark_of(m) for m in messages}

        assert positions(done) == every(1, 30)

    async def test_a_read_that_was_cancelled_has_taken_nothing(self, feed: Feed, source: Source) -> None:
        await source.start(all_from(BEGINNING))
        done: list[Message] = []
        for _ in range(20):
            reading = asyncio.create_task(source.read(3, 5))
            await asyncio.sleep(0.02)
            if not reading.done():
                reading.cancel()
            await asyncio.wait([reading])
            if not reading.cancelled():
                done += reading.result()
            await feed.add(1)

        done += await take(source, 60 - len(done))
        assert positions(done) == every(1, 20)

    async def test_a_source_is_closed_at_any_time(self, feed: Feed, source: Source) -> None:
        await source.close()
        await source.start(all_from(BEGINNING))
        await source.close()
        await source.close()
