"""What is in the log comes to the topic, whole and in order, whoever leads."""

from __future__ import annotations

import asyncio

import asyncpg
from prometheus_client import REGISTRY

from shared.events.envelope import from_wire
from shared.polling import PollInterval
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.source import BEGINNING
from tests.shared.relay.system import PARTITIONS, System, caught_up, every, read, until
from tests.shared.subscription.source_conformance import append


async def test_twenty_thousand_events_come_whole_and_in_order(system: System) -> None:
    await system.fill(20_400)

    async with system.relay() as relay:
        await until(caught_up(relay, 1_700))
        assert (relay.state.lag, relay.state.problem) == (0, None)
        assert relay.state.producers < PARTITIONS  # one for all of them; it is begun anew where the broker is slow
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
    batches = await source._consumer.current.getmany(timeout_ms=2_000)
    await source.close()
    (record,) = next(iter(batches.values()))
    written = (await system.log.follow(3, 0, 1))[0]
    assert (record.key, record.timestamp) == (written.stream.bytes, int(written.recorded_at.timestamp() * 1000))
    assert from_wire(record.value) == written


async def test_a_relay_that_is_woken_sends_at_once(system: System) -> None:
    async with system.relay() as relay:
        relay._interval = PollInterval(3600, 3600)  # it does not look of its own accord, however slow the machine is
        system.log.appended.append(relay.wake)
        await until(caught_up(relay, 0))
        for expected in range(1, 21):
            await append(system.log, 1)
            await until(caught_up(relay, expected))


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
