"""A topic that was made again is filled again, and what others wrote to it does no harm."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from shared.kafka.topics import ensure_topics
from shared.relay import topic_watch
from shared.relay.producer import Producer
from tests.shared.relay.system import PARTITIONS, System, caught_up, every, read, until
from tests.shared.subscription.source_conformance import append
from tests.shared.subscription.topic_feed import delete_topic


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
    monkeypatch.setattr(topic_watch, "LOOK", 1000)  # only what is sent can show it
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
    monkeypatch.setattr(topic_watch, "LOOK", 1000)
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
