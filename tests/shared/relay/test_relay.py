"""What is in the log comes to the topic, whole and in order, whatever fails on the way."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.local.home import Home
from deploy.local.kafka import Kafka
from deploy.local.ports import assign
from shared.db import create_engine
from shared.event import from_wire
from shared.log.port import partition_of
from shared.log.postgres import PostgresLog
from shared.relay import relay as relaying
from shared.relay.producer import Producer
from shared.relay.relay import Relay
from shared.settings import Settings
from shared.stream.kafka_source import KafkaSource
from shared.stream.source import BEGINNING
from shared.stream.topics import ensure_topics, topic_of
from shared.tables import service_metadata
from tests.conftest import FreshDatabase
from tests.shared.stream.source_conformance import append, positions, take
from tests.shared.stream.test_stream import delete_topic

PARTITIONS = 12
FILL = """
with made as (
    select n, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as stream from generate_series(0, $1 - 1) n
)
insert into log (partition, position, stream, version, type, id, community, occurred_at, data)
select n % 12, n / 12 + 1, stream, 1, 'guildhall.toy.deposited.v1', gen_random_uuid(), gen_random_uuid(), now(),
       convert_to(json_build_object('amount', n)::text, 'UTF8')
from made
"""


class System:
    """One service's database and topic, and the relays that run between them."""

    def __init__(self, settings: Settings, service: str, engine: AsyncEngine, log: PostgresLog) -> None:
        self.settings, self.service, self.engine, self.log = settings, service, engine, log

    async def sql(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.settings.database_url)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    async def fill(self, events: int) -> None:
        """That many events, a multiple of the partitions, as appends would have left them."""
        await self.sql(FILL, events)
        await self.sql("update log_partition p set position = (select count(*) from log l where l.partition = p.id)")

    async def checkpoints(self) -> list[int]:
        return [row["position"] for row in await self.sql("select position from relay_checkpoint order by partition")]

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[Relay]:
        relay = Relay(self.log, self.engine, self.settings)
        running = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def topic(self, events: int) -> dict[int, list[int]]:
        """The positions on the topic, by partition, in its order and with repeats; at least so many of each."""
        source = KafkaSource(self.settings, self.service)
        await source.start(dict.fromkeys(range(PARTITIONS), BEGINNING))
        found: dict[int, list[int]] = {partition: [] for partition in range(PARTITIONS)}
        until = time.monotonic() + 20
        while True:
            messages = await source.read(5000, 0.3)
            for message in messages:
                assert message.value is not None
                record = from_wire(message.value)
                assert record.partition == message.partition == partition_of(record.stream, PARTITIONS)
                found[message.partition].append(record.position)
            whole = all(max(each, default=0) >= events for each in found.values())
            if (whole and not messages) or time.monotonic() > until:
                await source.close()
                return found


def read(found: list[int]) -> list[int]:
    """What a reader makes of positions: it skips those it has and stops at a hole."""
    known = 0
    for position in found:
        if position == known + 1:
            known = position
    return list(range(1, known + 1))


def every(last: int) -> dict[int, list[int]]:
    return {partition: list(range(1, last + 1)) for partition in range(PARTITIONS)}


async def until(condition: Callable[[], bool | Awaitable[bool]], within: float = 20) -> float:
    """Seconds until the condition holds; fails after `within`."""
    began = time.monotonic()
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return time.monotonic() - began
        assert time.monotonic() - began < within, "it did not come to be"
        await asyncio.sleep(0.005)


def caught_up(relay: Relay, position: int) -> Callable[[], bool]:
    return lambda: relay.state.state == "caught-up" and list(relay.state.positions) == [position] * PARTITIONS


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "LOOK", 0.5)
    monkeypatch.setattr(relaying, "BACK_OFF", (0.1, 0.5))
    monkeypatch.setattr(relaying, "STUCK_RETRY", 1.0)


@asynccontextmanager
async def made(settings: Settings) -> AsyncIterator[System]:
    service = f"toy{uuid4().hex[:8]}"
    engine = create_engine(settings, service)
    log = PostgresLog(engine, service, PARTITIONS)
    await log.start()
    await ensure_topics(settings, [service])
    yield System(settings, service, engine, log)
    await log.close()
    await engine.dispose()


@pytest.fixture
async def settings(fresh_database: FreshDatabase) -> AsyncIterator[Settings]:
    async with fresh_database(service_metadata(facts=True)) as fresh:
        yield fresh


@pytest.fixture
async def system(settings: Settings) -> AsyncIterator[System]:
    async with made(settings) as system:
        yield system


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker of this module's own, to be killed and frozen."""
    home = Home.at(Path(tmp_path_factory.mktemp("broker"))).open()
    ports = assign(["kafka", "controller"], 20_000 + os.getpid() % 9_000, {})
    broker = Kafka(home, ports["kafka"], ports["controller"])
    broker.prepare()
    broker.start()
    broker.wait_ready()
    yield broker
    broker.stop()


@pytest.fixture
async def fragile(settings: Settings, broker: Kafka) -> AsyncIterator[System]:
    async with made(settings.model_copy(update={"kafka": broker.address})) as system:
        yield system


async def test_twenty_thousand_events_come_whole_and_in_order(system: System) -> None:
    await system.fill(20_400)

    async with system.relay() as relay:
        await until(caught_up(relay, 1_700))
        assert (relay.state.lag, relay.state.producers, relay.state.problem) == (0, 1, None)
        labels = {"service": system.service, "partition": "7"}
        assert REGISTRY.get_sample_value("guildhall_relay_position", labels) == 1_700
        assert REGISTRY.get_sample_value("guildhall_relay_lag_events", labels) == 0

    assert await system.topic(1_700) == every(1_700)
    assert await system.checkpoints() == [1_700] * PARTITIONS


async def test_the_record_carries_the_streams_key_and_the_time_of_recording(system: System) -> None:
    await system.fill(12)
    async with system.relay() as relay:
        await until(caught_up(relay, 1))

    source = KafkaSource(system.settings, system.service)
    await source.start({3: BEGINNING})
    await source.read(1, 1)
    await source.seek(3, BEGINNING)
    batches = await source._consumer.getmany(timeout_ms=2_000)
    await source.close()
    (record,) = next(iter(batches.values()))
    written = (await system.log.follow(3, 0, 1))[0]
    assert (record.key, record.timestamp) == (written.stream.bytes, int(written.recorded_at.timestamp() * 1000))
    assert from_wire(record.value) == written


async def test_a_relay_that_is_woken_sends_at_once(system: System) -> None:
    async with system.relay() as relay:
        system.log.appended.append(relay.wake)
        await until(caught_up(relay, 0))
        delays = []
        for expected in range(1, 21):
            await asyncio.sleep(0.06)
            await append(system.log, 1)
            delays.append(await until(caught_up(relay, expected)))

    assert sorted(delays)[10] < 0.05  # usually 8 ms, with 12 partitions at once


async def test_what_was_sent_before_a_kill_is_sent_again_and_a_reader_skips_it(system: System) -> None:
    await system.fill(1_200)
    blocker = await asyncpg.connect(system.settings.database_url)
    async with blocker.transaction(), system.relay() as relay:
        await until(caught_up(relay, 100))
        await until(lambda: _are(system, 100))
        await blocker.execute("select from relay_checkpoint for update")
        await append(system.log, 20)
        await until(caught_up(relay, 120))  # sent and acknowledged; the checkpoint cannot be written
    await blocker.close()
    assert await system.checkpoints() == [100] * PARTITIONS

    async with system.relay() as relay:
        await until(caught_up(relay, 120))
    found = await system.topic(120)

    assert found[0] == [*range(1, 121), *range(101, 121)]
    assert {partition: read(on_topic) for partition, on_topic in found.items()} == every(120)


async def _are(system: System, position: int) -> bool:
    return await system.checkpoints() == [position] * PARTITIONS


async def test_a_leader_that_was_replaced_cannot_move_a_checkpoint(system: System) -> None:
    await system.fill(120)
    async with system.relay() as old:
        await until(caught_up(old, 10))
        await until(lambda: _are(system, 10))
        await system.sql("update lease set epoch = epoch + 1, holder = gen_random_uuid()")  # a new leader, by force

        await append(system.log, 5)
        await until(lambda: old.state.state == "standing-by")

        assert await system.checkpoints() == [10] * PARTITIONS
        await system.sql("update lease set holder = null")
        await until(caught_up(old, 15))
    assert {p: read(found) for p, found in (await system.topic(15)).items()} == every(15)


async def test_two_relays_hand_over_under_load_and_nothing_is_lost(system: System) -> None:
    async def write() -> None:
        for _ in range(60):
            await append(system.log, 2)
            await asyncio.sleep(0.02)

    writing = asyncio.create_task(write())
    for _ in range(4):
        async with system.relay() as one, system.relay() as other:
            await until(lambda: {one.state.state, other.state.state} != {"standing-by"})
            await asyncio.sleep(0.4)
            # Both lead for as long as the first does not hear of it.
            await system.sql("update lease set expires_at = clock_timestamp() - interval '1 second'")
            await asyncio.sleep(0.8)
    await writing
    async with system.relay() as last:
        await until(caught_up(last, 120))

    found = await system.topic(120)
    assert {partition: read(on_topic) for partition, on_topic in found.items()} == every(120)


async def test_a_topic_that_was_made_again_while_nothing_is_sent_is_filled_again(system: System) -> None:
    await system.fill(600)
    async with system.relay() as relay:
        await until(caught_up(relay, 50))
        await delete_topic(system.settings, system.service)
        await until(lambda: "guildhall topics" in (relay.state.problem or ""))

        await ensure_topics(system.settings, [system.service])
        await until(caught_up(relay, 50))

        assert relay.state.problem is None
    assert await system.topic(50) == every(50)


async def test_a_topic_that_was_made_again_under_load_is_filled_again(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "LOOK", 1000)  # only what is sent can show it
    await system.fill(600)
    async with system.relay() as relay:
        await until(caught_up(relay, 50))
        await delete_topic(system.settings, system.service)
        await ensure_topics(system.settings, [system.service])
        await append(system.log, 1)

        await until(lambda: relay.state.producers > 1)
        await until(caught_up(relay, 51))

    found = await system.topic(51)
    assert {partition: read(on_topic) for partition, on_topic in found.items()} == every(51)


async def test_a_topic_without_its_beginning_is_filled_again_however_many_records_it_has(system: System) -> None:
    await system.fill(600)
    late = Producer(system.settings, system.service)  # its topic was made again, and it does not know
    await late.start()
    for _ in range(6):
        await late.send(0, await system.log.follow(0, 40, 10))
    await late.stop()
    await system.sql("update relay_checkpoint set position = 50")

    async with system.relay() as relay:
        await until(caught_up(relay, 50))

    found = await system.topic(50)
    assert {partition: read(on_topic) for partition, on_topic in found.items()} == every(50)


async def test_a_topic_that_is_seen_to_be_made_again_is_filled_from_its_beginning(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "LOOK", 1000)
    await system.fill(600)
    async with system.relay() as relay:
        await until(caught_up(relay, 50))
        await delete_topic(system.settings, system.service)
        await ensure_topics(system.settings, [system.service])
        late = Producer(system.settings, system.service)
        await late.start()
        await late.send(0, await system.log.follow(0, 0, 1))
        for _ in range(6):
            await late.send(0, await system.log.follow(0, 40, 10))
        await late.stop()
        await append(system.log, 1)
        await until(lambda: relay.state.producers > 1)
        await until(caught_up(relay, 51))

    found = await system.topic(51)
    assert {partition: read(on_topic) for partition, on_topic in found.items()} == every(51)


async def test_a_refill_is_in_the_checkpoints_before_it_is_on_the_topic(system: System) -> None:
    await system.fill(600)
    await system.sql("update relay_checkpoint set position = 50")
    holder = await asyncpg.connect(system.settings.database_url)
    async with holder.transaction():
        await holder.execute("lock table relay_checkpoint in exclusive mode")  # it can be read and not written
        async with system.relay() as relay:
            await until(lambda: relay.state.state == "relaying")
            await asyncio.sleep(0.5)
            assert await system.topic(0) == every(0)
            assert list(relay.state.positions) == [0] * PARTITIONS
    await holder.close()

    async with system.relay() as relay:
        await until(caught_up(relay, 50))
    assert await system.topic(50) == every(50)


async def test_behind_what_somebody_else_wrote_the_last_event_is_sent_once_more(system: System) -> None:
    await system.fill(600)
    async with system.relay() as relay:
        await until(caught_up(relay, 50))
        late = Producer(system.settings, system.service)
        await late.start()
        await late.send(3, await system.log.follow(3, 20, 10))
        await late.stop()

        async def repeated() -> bool:
            return (await system.topic(50))[3][-1] == 50

        await until(repeated)

        assert relay.state.producers == 1
    found = await system.topic(50)
    assert found[3] == [*range(1, 51), *range(21, 31), 50]
    assert [found[p] for p in range(PARTITIONS) if p != 3] == [list(range(1, 51))] * (PARTITIONS - 1)


async def test_a_database_older_than_the_topic_stops_the_relay_in_words(system: System) -> None:
    await system.fill(600)
    async with system.relay() as relay:
        await until(caught_up(relay, 50))
    await system.sql("delete from log where position > 40")
    await system.sql("update log_partition set position = 40")

    async with system.relay() as relay:
        await until(lambda: "restored from an older state" in (relay.state.problem or ""))
        assert relay.state.state == "starting"


async def test_an_event_the_broker_refuses_stops_its_partition_alone_and_says_so(system: System) -> None:
    await configure(system, "max.message.bytes", "3000")
    await system.fill(120)
    await system.sql("update log set data = $1 where partition = 4 and position = 6", b'"' + b"x" * 4_000 + b'"')

    async with system.relay() as relay:
        await until(lambda: relay.state.state == "stuck" and sum(relay.state.positions) == 115)
        assert relay.state.positions[4] == 5
        assert f"{system.service}/4/6" in (relay.state.problem or "")
        assert "max.message.bytes" in (relay.state.problem or "")

        await configure(system, "max.message.bytes", "100000")
        await until(caught_up(relay, 10))
    assert await system.topic(10) == every(10)


async def configure(system: System, key: str, value: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=system.settings.kafka)
    await admin.start()
    resource = ConfigResource(
        ConfigResourceType.TOPIC, topic_of(system.service), configs={key: value, "retention.ms": "-1"}
    )
    await admin.alter_configs([resource])
    await admin.close()


async def test_a_database_that_was_away_is_relayed_on(system: System) -> None:
    await system.fill(120)
    name = system.settings.database_url.rpartition("/")[2]
    other = await asyncpg.connect(system.settings.database_url.rpartition("/")[0] + "/postgres")
    async with system.relay() as relay:
        await until(caught_up(relay, 10))
        await other.execute(f"alter database {name} allow_connections false")
        await other.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        await until(lambda: relay.state.problem is not None)
        await asyncio.sleep(1)
        await other.execute(f"alter database {name} allow_connections true")

        await append(system.log, 5)
        await until(caught_up(relay, 15))
    await other.close()
    assert {p: read(found) for p, found in (await system.topic(15)).items()} == every(15)


async def test_a_broker_that_was_killed_is_relayed_to_again_by_the_same_process(fragile: System, broker: Kafka) -> None:
    await fragile.fill(1_200)
    source = KafkaSource(fragile.settings, fragile.service, silence=1)
    await source.start(dict.fromkeys(range(PARTITIONS), BEGINNING))
    async with fragile.relay() as relay:
        await until(caught_up(relay, 100))
        assert len(await take(source, 1_200)) == 1_200
        broker.kill()
        await append(fragile.log, 10)
        assert await source.read(100, 0.5) == []
        await until(lambda: relay.state.problem is not None)

        broker.start()
        broker.wait_ready()

        assert await until(caught_up(relay, 110)) < 10
        assert relay.state.problem is None
        read_on = {p: read([*range(1, 101), *found]) for p, found in positions(await take(source, 120)).items()}
        assert read_on == every(110)  # the same reader, where it had come to
    await source.close()
    found = await fragile.topic(110)
    assert {partition: read(on_topic) for partition, on_topic in found.items()} == every(110)


async def test_a_broker_that_hangs_holds_up_neither_the_relay_for_ever_nor_a_stop(
    fragile: System, broker: Kafka
) -> None:
    await fragile.fill(1_200)
    async with fragile.relay() as relay:
        await until(caught_up(relay, 100))
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            await append(fragile.log, 10)
            await until(lambda: relay.state.problem is not None, within=12)
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        assert await until(caught_up(relay, 110)) < 10

        os.kill(broker.pid, signal.SIGSTOP)
        try:
            await append(fragile.log, 10)
            await asyncio.sleep(0.5)  # a batch is under way
            running = [t for t in asyncio.all_tasks() if getattr(t.get_coro(), "__qualname__", "") == "Relay.run"]
            began = time.monotonic()
            for task in running:
                task.cancel()
            await asyncio.wait(running)
            stopped = time.monotonic() - began
        finally:
            os.kill(broker.pid, signal.SIGCONT)
    assert stopped < 5
    async with fragile.relay() as relay:
        await until(caught_up(relay, 120))
    found = await fragile.topic(120)
    assert {partition: read(on_topic) for partition, on_topic in found.items()} == every(120)
