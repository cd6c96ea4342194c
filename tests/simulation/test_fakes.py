"""The fakes are held to the suites of the real parts: the kernel's own code passes them over either."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from shared.kafka.topics import ensure_topics
from shared.log.postgres import PostgresLog
from shared.projections.store_postgres import PostgresReadModelStore
from shared.settings import Settings
from shared.subscription.kafka_source import KafkaSource
from tests.shared.board import TABLES
from tests.shared.log.log_conformance import LogConformance, one, outcome, positions
from tests.shared.projections.view_store_conformance import ViewStoreConformance
from tests.shared.subscription.source_conformance import PARTITIONS, SourceConformance
from tests.shared.subscription.topic_feed import TopicFeed
from tests.simulation import kafka
from tests.simulation.broker import Broker
from tests.simulation.claim_statements import claim_statements
from tests.simulation.driver import Engine
from tests.simulation.faults import Faults
from tests.simulation.loop import PROCESS, Loop, Process
from tests.simulation.postgres import Database
from tests.simulation.seed import FAKES
from tests.simulation.statements import LogIndex, UnknownStatement, finder, lease_statements, log_statements
from tests.simulation.view_statements import ordinal_statements, parked_statements, watermark_statements
from tests.simulation.view_tables import Tables

pytestmark = pytest.mark.usefixtures("seconds")


def no_faults() -> Faults:
    return Faults(Random(0), on=False, network_is_slow=0.05)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def engine() -> Any:
    """Of a database in memory with a log of twelve partitions."""
    database = Database("toy", no_faults(), now, lambda sql: find(sql))
    index = LogIndex(database, 12)
    database.table("agreed")[None] = database.started  # as a relay would have found it
    find = finder(log_statements(index), lease_statements(), claim_statements(), also=lambda _: None)
    return Engine(database)


@pytest.fixture
async def log(engine: Any) -> AsyncIterator[PostgresLog]:
    log = PostgresLog(engine, "toy")
    await log.start()
    yield log
    await log.close()


class TestPostgresLogOverTheFake(LogConformance):
    async def test_two_logs_on_one_database_give_out_positions_without_gaps(
        self, log: PostgresLog, engine: Any
    ) -> None:
        other = PostgresLog(engine, "toy")
        await other.start()
        answers = await asyncio.gather(*(outcome(log if n % 2 else other, one(n % 60, n // 60)) for n in range(180)))
        await other.close()

        for found in (await positions(log)).values():
            assert found == list(range(1, len(found) + 1))
        assert sum(map(len, (await positions(log)).values())) == sum(answer is not None for answer in answers)

    async def test_connections_that_are_cut_lose_and_double_nothing(self, log: PostgresLog, engine: Any) -> None:
        answers = [asyncio.create_task(outcome(log, one(number, 0))) for number in range(200)]
        for _ in range(5):
            await asyncio.sleep(0.0005)
            engine.database.cut()

        assert None not in await asyncio.gather(*answers)
        assert [
            len(await log.load(record)) for record in {r.stream for p in range(12) for r in await log.follow(p, 0, 999)}
        ] == [1] * 200


class TestPostgresViewStoreOverTheFake(ViewStoreConformance):
    @pytest.fixture
    async def store(self) -> AsyncIterator[PostgresReadModelStore]:
        known = (watermark_statements(), parked_statements(), ordinal_statements())
        database = Database("board", no_faults(), now, finder(*known, also=Tables(TABLES)))
        engine: Any = Engine(database)
        store = PostgresReadModelStore(engine)
        yield store
        await store.close()


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    for name, module in list(sys.modules.items()):
        if name.startswith("shared."):
            for attribute, fake in FAKES.items():
                if hasattr(module, attribute):
                    monkeypatch.setattr(module, attribute, fake)
    broker = Broker(no_faults(), PARTITIONS)
    monkeypatch.setattr(kafka.Client, "broker", broker, raising=False)
    return broker


class TestKafkaSourceOverTheFake(SourceConformance):
    @pytest.fixture
    async def feed(self, broker: Broker) -> AsyncIterator[TopicFeed]:
        feed = TopicFeed(Settings(kafka="simulated", partitions=PARTITIONS))
        await ensure_topics(feed.settings, [feed.log.service])
        yield feed
        await feed.close()

    @pytest.fixture
    async def source(self, feed: TopicFeed) -> AsyncIterator[KafkaSource]:
        source = KafkaSource(feed.settings, feed.log.service)
        yield source
        await source.close()


async def test_a_statement_that_the_fake_does_not_know_is_named(engine: Any) -> None:
    with pytest.raises(UnknownStatement, match="does not know this statement: select pg_sleep"):
        engine.database.find("select\n  pg_sleep(1)")


def test_a_killed_process_runs_nothing_more_and_a_paused_one_goes_on_later() -> None:
    loop, done = Loop(), list[str]()

    async def work(name: str) -> None:
        try:
            await asyncio.sleep(1)
            done.append(f"{name} at {loop.now - 1000:.0f}")
        finally:
            done.append(f"{name} cleaned up")

    async def course() -> None:
        processes = {name: Process(name, lambda _: None) for name in ("killed", "paused", "free")}
        for name, process in processes.items():
            process.begin(loop, work(name))
        await asyncio.sleep(0.5)
        processes["killed"].kill()
        processes["paused"].pause()
        await asyncio.sleep(2.5)
        processes["paused"].go_on(loop)
        await asyncio.sleep(1)
        assert PROCESS.get() is None
        processes["killed"].alive = True
        for task in list(processes["killed"].tasks):
            task.cancel()
        await asyncio.sleep(0)

    loop.run_until_complete(course())
    loop.close()

    assert done == ["free at 1", "free cleaned up", "paused at 3", "paused cleaned up", "killed cleaned up"]
