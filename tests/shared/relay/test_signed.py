"""What the relay makes of a topic on which others have written, or which is older than signatures."""

from __future__ import annotations

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from shared.events.envelope import to_wire
from shared.kafka.topics import topic_of
from tests.shared.relay.system import PARTITIONS, System, caught_up, every, read, until
from tests.shared.subscription.source_conformance import append


@pytest.fixture
async def signed(system: System) -> System:
    settings = system.settings.model_copy(update={"record_secret": SecretStr("secret")})
    return System(settings, system.service, system.engine, system.log)


async def forge(system: System, partition: int, position: int) -> None:
    [model] = await system.log.follow(partition, 0, 1)
    value = to_wire(msgspec.structs.replace(model, position=position))
    async with AIOKafkaProducer(bootstrap_servers=system.settings.kafka) as stranger:
        await stranger.send_and_wait(topic_of(system.service), value, partition=partition)


async def test_a_topic_from_before_signatures_is_filled_again_once_with_them(system: System, signed: System) -> None:
    await system.fill(600)
    async with system.relay() as relay:
        await until(caught_up(relay, 50))
    assert await signed.topic(0) == every(0)
    for _ in range(2):
        async with signed.relay() as relay:
            await until(caught_up(relay, 50))

    assert await signed.topic(50) == every(50)
    assert await system.topic(50) == {p: [*range(1, 51), *range(1, 51)] for p in range(PARTITIONS)}


async def test_a_forged_end_is_neither_taken_for_the_logs_nor_for_a_restored_database(signed: System) -> None:
    await signed.fill(600)
    async with signed.relay() as relay:
        await until(caught_up(relay, 50))
    await forge(signed, 0, 51)
    await forge(signed, 1, 1000)
    async with signed.relay() as relay:
        await until(caught_up(relay, 50))
        await append(signed.log, 1)
        await until(caught_up(relay, 51))
        assert relay.state.problem is None

    assert {partition: read(found) for partition, found in (await signed.topic(51)).items()} == every(51)


async def test_behind_a_forgery_the_last_event_is_sent_once_more(signed: System) -> None:
    await signed.fill(600)
    async with signed.relay() as relay:
        await until(caught_up(relay, 50))
        await forge(signed, 3, 51)
        await until(lambda: _ends_with(signed, 3, [50, 50]))

    assert relay.state.producers == 1


async def _ends_with(system: System, partition: int, positions: list[int]) -> bool:
    return (await system.topic(50))[partition][-len(positions) :] == positions
