"""What a log lost is put back from its topic, under the positions and ids that every reader has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import msgspec
import pytest
import sqlalchemy as sa

from deploy.operations.recover import CannotRecover, Missing, missing, put_back
from deploy.operations.topics import topics
from shared.cancellation import end
from shared.db import Driver
from shared.events.claim import Claim
from shared.events.decider import Decider
from shared.events.event import Recorded
from shared.events.fact import Fact
from shared.projections.read_model import Change, ReadModel, add
from shared.projections.read_model_table import read_model_table
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.relay.producer import Producer
from shared.settings import Settings
from shared.subscription.log_source import LogSource
from shared.tables import service_metadata
from tests.conftest import FreshDatabase
from tests.shared.log.log_conformance import one
from tests.shared.relay.system import PARTITIONS, System, caught_up, every, made, until
from tests.shared.relay.test_gone_back import go_on, gone_back
from tests.shared.toy import Deposited

LOG = "select * from log order by partition, position"


@pytest.fixture
async def settings(fresh_database: FreshDatabase) -> AsyncIterator[Settings]:
    async with fresh_database(service_metadata(facts=True)) as fresh:
        yield fresh


@pytest.fixture
async def system(settings: Settings) -> AsyncIterator[System]:
    async with made(settings) as system:
        await system.fill(600)
        async with system.relay() as relay:
            await until(caught_up(relay, 50))
        yield system


@asynccontextmanager
async def opened(system: System) -> AsyncIterator[Driver]:
    connection = await asyncpg.connect(
        system.settings.database_url, server_settings={"default_transaction_read_only": "on"}
    )
    try:
        yield connection
    finally:
        await connection.close()


async def lacking(system: System, log: Driver) -> list[Missing]:
    async with topics(system.settings, [system.service]) as broker:
        return await missing(broker, system.service, log)


@pytest.mark.parametrize("position", [0, 1, 40, 49], ids=["all", "all but one", "some", "one"])
async def test_what_was_lost_is_back_as_it_was_and_writing_goes_on(system: System, position: int) -> None:
    before = await system.sql(LOG)
    await gone_back(system, position)

    async with opened(system) as log:
        found = await lacking(system, log)
        assert [(each.partition, each.common, len(each.events), len(each.others)) for each in found] == [
            (partition, position, 50 - position, 0) for partition in range(PARTITIONS)
        ]
        done = await put_back(log, system.service, found, (), None)
        assert await lacking(system, log) == []

    assert done.events == (50 - position) * PARTITIONS
    assert await system.sql(LOG) == before
    assert await system.log.heads() == [50] * PARTITIONS
    async with system.relay() as relay:
        await until(caught_up(relay, 50))
        await system.log.append(one(901, 0))


async def test_a_log_that_has_all_lacks_nothing(system: System) -> None:
    async with opened(system) as log:
        assert await lacking(system, log) == []


async def test_what_the_relay_had_not_sent_stays_in_the_log(system: System) -> None:
    await go_on(system, 55)
    before = await system.sql(LOG)
    async with opened(system) as log:
        assert await lacking(system, log) == []
    assert await system.sql(LOG) == before


@pytest.mark.parametrize("last", [45, 50, 60], ids=["shorter", "as long", "longer"])
async def test_what_stands_there_instead_is_set_aside_and_never_thrown_away(system: System, last: int) -> None:
    before = await system.sql(LOG)
    await gone_back(system, 40)
    await go_on(system, last)
    others = await system.sql("select id from log where position > 40 order by partition, position")
    forked = await system.sql(LOG)

    async with opened(system) as log:
        found = await lacking(system, log)
        with pytest.raises(CannotRecover, match="--set-aside"):
            await put_back(log, system.service, found, (), None)
        assert await system.sql(LOG) == forked

        kept: list[Recorded] = []
        await put_back(log, system.service, found, (), kept.append)

    assert [event.id for event in kept] == [row["id"] for row in others]
    assert await system.sql(LOG) == before


async def test_a_view_that_has_read_what_is_set_aside_cannot_write_it_any_more(system: System) -> None:
    await system.sql(
        "insert into watermark (view, source, partition, position) values ('a', $1, 0, 40)", system.service
    )
    await system.sql("insert into watermark (view, source, partition, position) values ('a', 'another', 0, 40)")
    marks = "select source, moved_at from watermark order by source"
    before = {row["source"]: row["moved_at"] for row in await system.sql(marks)}
    await gone_back(system, 40)
    await go_on(system, 45)
    async with opened(system) as log:
        await put_back(log, system.service, await lacking(system, log), (), lambda _: None)
    after = {row["source"]: row["moved_at"] for row in await system.sql(marks)}
    assert (after[system.service] > before[system.service], after["another"]) == (True, before["another"])


async def test_what_two_streams_hold_then_is_said_and_neither_loses_it(system: System) -> None:
    (lost,) = await system.sql("select stream, community from log where partition = 3 and position = 50")
    claim, other = Claim("channel name", "rose", "/name"), uuid4()
    await gone_back(system, 49)
    await system.sql("insert into claim values ($1, $2, $3, $4)", lost["community"], claim.scope, claim.key, other)

    async with opened(system) as log:
        keeper = Decider("keeper", _keep, claims=lambda stream: [claim] if stream else [])
        done = await put_back(log, system.service, await lacking(system, log), (), None, [keeper])

    holders = sorted(
        row["stream"] for row in await system.sql("select stream from claim where community = $1", lost["community"])
    )
    assert {other, lost["stream"]} <= set(holders)
    assert done.disputed[lost["community"], claim] == holders
    assert await system.log.holders_of(lost["community"], claim) == holders


def _keep(_: bool | None, fact: Fact[Deposited]) -> bool:
    return True


async def test_it_is_all_or_nothing(system: System) -> None:
    await gone_back(system, 40)
    async with opened(system) as log:
        found = await lacking(system, log)
        await go_on(system, 41)
        with pytest.raises(CannotRecover, match="has changed"):
            await put_back(log, system.service, found, (), None)
    assert await system.log.heads() == [41] * PARTITIONS


async def test_repeats_on_the_topic_are_read_as_readers_read_them(system: System) -> None:
    before = await system.sql(LOG)
    await system.sql("update relay_checkpoint set position = 30")
    async with system.relay() as relay:
        await until(caught_up(relay, 50))
    assert await system.topic(50) != every(50)
    await gone_back(system, 20)

    async with opened(system) as log:
        await put_back(log, system.service, await lacking(system, log), (), None)
    assert await system.sql(LOG) == before


async def test_of_two_events_at_a_position_the_first_is_put_back_which_readers_have(system: System) -> None:
    before = await system.sql(LOG)
    late = Producer(system.settings, system.service)
    await late.start()
    for partition in range(PARTITIONS):
        for record in await system.log.follow(partition, 44, 6):
            await late.send(partition, [msgspec.structs.replace(record, id=uuid4())])
    await late.stop()
    await gone_back(system, 40)

    async with opened(system) as log:
        await put_back(log, system.service, await lacking(system, log), (), None)
    assert await system.sql(LOG) == before


async def test_words_that_are_in_no_vault_are_counted(settings: Settings) -> None:
    lost, kept = uuid4(), uuid4()
    data = msgspec.json.encode({"title": {"ref": lost, "length": 3}, "parts": [{"ref": kept, "length": 1}]})
    async with made(settings) as system:
        await system.fill(12)
        await system.sql("update log set data = $1 where partition = 3", data)
        await system.sql("insert into vault select community, $1, null, '{}' from log where partition = 3", kept)
        async with system.relay() as relay:
            await until(caught_up(relay, 1))
        await gone_back(system, 0)
        async with opened(system) as log:
            done = await put_back(log, system.service, await lacking(system, log), (), None)
    assert (done.events, done.words) == (12, 1)


DEPOSITS = "select community, event as id, times from deposits order by community, id"
EVENTS = "select community, id, 1::bigint as times from log order by community, id"


async def read_to_the_end(system: System, view: ReadModel) -> None:
    heads = await system.log.heads()

    async def read() -> bool:
        rows = await system.sql("select partition, position from watermark where view = $1 order by 1", view.name)
        return [row["position"] for row in rows] == heads

    store = PostgresReadModelStore(system.engine)
    reading = asyncio.create_task(ProjectionRunner([view], [LogSource(system.log)], store).run(), name="reading")
    try:
        await until(read)
    finally:
        await end(reading)
        await store.close()


async def test_views_of_the_log_fill_themselves_again_where_they_had_read_what_is_set_aside(settings: Settings) -> None:
    metadata = service_metadata(facts=True)
    deposits = read_model_table("deposits", metadata, key={"community": sa.Uuid, "event": sa.Uuid}, add=("times",))
    untouched = read_model_table("untouched", metadata, key={"community": sa.Uuid}, add=("times",))

    def fold(event: Deposited, record: Recorded) -> list[Change]:
        return [add(deposits, (record.community, record.id), times=1)]

    view, other = ReadModel("deposits", (deposits,), fold), ReadModel("untouched", (untouched,), fold)
    async with made(settings) as system:
        for each in (view, other):  # each system has a name of its own, and its events are the toy's
            object.__setattr__(each, "sources", (system.service,))
        await system.fill(600)
        async with system.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        async with system.relay() as relay:
            await until(caught_up(relay, 50))
        await gone_back(system, 40)
        await go_on(system, 45)
        await read_to_the_end(system, view)
        assert await system.sql(DEPOSITS) == await system.sql(EVENTS)

        kept: list[Recorded] = []
        async with opened(system) as log:
            done = await put_back(log, system.service, await lacking(system, log), [view, other], kept.append)
        assert (len(kept), done.views) == (5 * PARTITIONS, ["deposits"])
        assert await system.sql(DEPOSITS) == [], "nothing of what was set aside stands in it, and it says it is behind"
        await read_to_the_end(system, view)
        assert await system.sql(DEPOSITS) == await system.sql(EVENTS)
