"""A service's own log is a source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from shared.events.errors import Unavailable
from shared.events.event import Recorded
from shared.polling import PollInterval
from shared.subscription.log_source import LogSource
from shared.subscription.source import BEGINNING
from tests.doubles.log import MemoryLog
from tests.shared.subscription.source_conformance import (
    PARTITIONS,
    SourceConformance,
    all_from,
    append,
    every,
    positions,
    take,
)


class LogFeed:
    def __init__(self) -> None:
        self.log = MemoryLog("toy", PARTITIONS)

    async def add(self, events: int) -> None:
        await append(self.log, events)


@pytest.fixture
def feed() -> LogFeed:
    return LogFeed()


@pytest.fixture
async def source(feed: LogFeed) -> AsyncIterator[LogSource]:
    source = LogSource(feed.log)
    yield source
    await source.close()


class TestLogSource(SourceConformance):
    pass


class FailingLog(MemoryLog):
    """A log whose store is away for the first questions."""

    failures = 0

    async def follow(self, partition: int, after: int, limit: int) -> Sequence[Recorded]:
        if self.failures:
            self.failures -= 1
            raise Unavailable("away")
        return await super().follow(partition, after, limit)


async def test_a_log_that_is_away_is_asked_again_and_nothing_is_lost() -> None:
    log = FailingLog("toy", PARTITIONS)
    await append(log, 10)
    source = LogSource(log)
    await source.start(all_from(BEGINNING))
    log.failures = 5

    assert positions(await take(source, 30, limit=9)) == every(1, 10)


async def test_a_read_that_waits_is_woken() -> None:
    log = MemoryLog("toy", PARTITIONS)
    source = LogSource(log)
    await source.start(all_from(BEGINNING))
    source._interval = PollInterval(3600, 3600)  # it does not look again of its own accord
    reading = asyncio.create_task(source.read(10, 10))
    await asyncio.sleep(0.06)
    await append(log, 1)

    source.wake()

    assert await asyncio.wait_for(reading, 5) != []
