"""What is answered is written once, even when connections break and partitions are held up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import driver
from shared.events.errors import Unavailable
from shared.log.port import Write, partition_of
from shared.log.postgres import PostgresLog
from shared.settings import Settings
from tests.shared.log.log_conformance import event, one, positions, request
from tests.shared.toy import stream


async def cut_connections(settings: Settings) -> None:
    """End every session of the database but our own, as a failing server would."""
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    await connection.close()


@asynccontextmanager
async def held_up(settings: Settings, partition: int) -> AsyncIterator[None]:
    """Somebody has locked a partition and does not go on."""
    frozen = await asyncpg.connect(settings.database_url)
    transaction = frozen.transaction()
    await transaction.start()
    await frozen.execute("select from log_partition where id = $1 for update", partition)
    try:
        yield
    finally:
        await transaction.rollback()
        await frozen.close()


async def test_what_is_answered_is_written_once_when_connections_are_cut(log: PostgresLog, settings: Settings) -> None:
    answered: list[int] = []

    async def write(number: int) -> None:
        try:
            await log.append(one(number, 0))
        except Unavailable:
            return
        answered.append(number)

    async def cut() -> None:
        for _ in range(5):
            await asyncio.sleep(0.03)
            await cut_connections(settings)

    async def trickle() -> None:
        for start in range(0, 400, 8):
            await asyncio.gather(*(write(number) for number in range(start, start + 8)))
            await asyncio.sleep(0.002)

    await asyncio.gather(trickle(), cut())

    assert len(answered) == 400
    assert [len(await log.load(stream(number))) for number in range(400)] == [1] * 400
    for found in (await positions(log)).values():
        assert found == list(range(1, len(found) + 1))


async def test_a_connection_that_was_cut_does_not_go_back_to_the_pool(engine: AsyncEngine, settings: Settings) -> None:
    async with driver(engine) as connection:
        await cut_connections(settings)
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
            await connection.execute("select 1")

    async with driver(engine) as connection:
        assert await connection.fetchval("select 1") == 1


async def test_a_partition_that_is_held_up_gives_a_clear_answer_in_time(log: PostgresLog, settings: Settings) -> None:
    started = asyncio.get_running_loop().time()
    async with held_up(settings, partition_of(stream(1), log.partitions)):
        with pytest.raises(Unavailable):
            await log.append(one(1, 0))
        assert asyncio.get_running_loop().time() - started < 5

    assert len(await log.append(one(1, 0))) == 1


async def test_a_partition_that_is_held_up_holds_up_no_other(log: PostgresLog, settings: Settings) -> None:
    stalled, waits, refused = partition_of(stream(1), log.partitions), list[float](), list[float]()
    loop = asyncio.get_running_loop()
    until = loop.time() + 3

    async def write(numbers: range) -> None:
        for number in numbers:
            if partition_of(stream(number), log.partitions) != stalled:
                began = loop.time()
                await log.append(one(number, 0))
                waits.append(loop.time() - began)
            if loop.time() > until:
                return
            await asyncio.sleep(0.005)

    async def write_where_it_is_held_up() -> None:
        while loop.time() < until:
            began = loop.time()
            with suppress(Unavailable):
                await log.append(one(1, 0))
            refused.append(loop.time() - began)

    async with held_up(settings, stalled):
        both = request(Write(stream(1), 0, (event(),)), Write(stream(2), 0, (event(),)))
        spanning = asyncio.create_task(log.append(both))
        await asyncio.gather(
            write_where_it_is_held_up(),
            *(write(range(start, start + 10_000)) for start in range(10_000, 50_000, 10_000)),
        )
        with pytest.raises(Unavailable):
            await spanning

    # Who is held up with the partition waits as long as it does. A machine that is busy delays both.
    assert max(waits) < min(refused) / 2
    assert sorted(waits)[len(waits) // 2] < min(refused) / 20
    assert len(await log.append(one(3_000_000, 0))) == 1
    for number in range(4_000_000, 4_000_100):
        await log.append(one(number, 0))
    for found in (await positions(log)).values():
        assert found == list(range(1, len(found) + 1))


async def test_what_waited_for_a_partition_is_written_once_when_it_is_free(
    log: PostgresLog, settings: Settings
) -> None:
    partition = partition_of(stream(1), log.partitions)
    same = [n for n in range(2, 200) if partition_of(stream(n), log.partitions) == partition]
    async with held_up(settings, partition):
        waiting = [asyncio.create_task(log.append(one(number, 0))) for number in same]
        given_up = waiting.pop()
        await asyncio.sleep(0.2)
        given_up.cancel()
        assert not any(task.done() for task in waiting)

    await asyncio.wait_for(asyncio.gather(*waiting), 2)
    assert len(await log.append(one(1, 0))) == 1
    written = {record.stream for record in await log.follow(partition, 0, 1_000)}
    assert written - {stream(same[-1])} == {stream(number) for number in [1, *same[:-1]]}


async def test_connections_that_broke_while_nobody_used_them_fail_no_request(
    log: PostgresLog, engine: AsyncEngine, settings: Settings
) -> None:
    await asyncio.gather(*(log.load(stream(n)) for n in range(3)), log.append(one(1, 0)))
    async with driver(engine) as connection:
        await connection.execute("select 1")
    await cut_connections(settings)
    await asyncio.sleep(0.05)

    for _ in range(3):
        await asyncio.gather(*(log.load(stream(n)) for n in range(3)))
    async with driver(engine) as connection:
        await connection.execute("select 1")


async def test_a_server_that_may_only_read_is_left_for_one_that_is_written_to(
    log: PostgresLog, engine: AsyncEngine, settings: Settings
) -> None:
    """As after a failover, when connections lead to what was the primary; those that met it are not used again."""

    async def alter(what: str) -> None:
        admin = await asyncpg.connect(settings.database_url, server_settings={"default_transaction_read_only": "off"})
        name = await admin.fetchval("select quote_ident(current_database())")
        await admin.execute(f"alter database {name} {what}")
        await admin.close()

    await alter("set default_transaction_read_only = on")
    await engine.dispose()
    await cut_connections(settings)
    waiting = asyncio.create_task(log.append(one(1, 0)))
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with driver(engine) as connection:
            await connection.execute("truncate vault")
    assert connection.is_closed()
    await asyncio.sleep(0.3)
    await alter("reset default_transaction_read_only")

    assert len(await waiting) == len(await log.load(stream(1))) == 1
    async with driver(engine) as connection:
        await connection.execute("truncate vault")
