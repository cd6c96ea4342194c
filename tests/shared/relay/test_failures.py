"""A broker that refuses, dies or hangs and a database that is away lose nothing, and the same relay goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.local.home import Home
from deploy.local.kafka import Kafka
from deploy.local.ports import assign
from shared.kafka.topics import topic_of
from shared.relay.abandoned import abandon
from shared.settings import Settings
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.source import BEGINNING
from tests.shared.relay.system import PARTITIONS, System, caught_up, every, made, read, until
from tests.shared.subscription.source_conformance import append, positions, take


@pytest.fixture(scope="module")
def broker(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
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


async def test_a_producer_is_let_go_of_also_by_who_is_cancelled_meanwhile(broker: Kafka) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.address)
    await producer.start()
    letting_go = asyncio.create_task(abandon(producer))
    await asyncio.sleep(0)
    letting_go.cancel()
    await asyncio.wait([letting_go])

    assert letting_go.cancelled()
    assert not any(connection.connected() for connection in producer.client._conns.values())
    assert producer.client._sync_task is None
