"""The log in PostgreSQL is a log, and what is answered is written even when connections break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import create_engine, driver
from shared.errors import Unavailable
from shared.log.port import Secret, VersionConflict, Write, partition_of
from shared.log.postgres import PostgresLog
from shared.settings import Settings
from shared.tables import service_metadata
from shared.vault import PostgresVault
from tests.conftest import FreshDatabase
from tests.shared.log.log_conformance import LogConformance, event, one, outcome, positions, request
from tests.shared.toy import ALICE, COMMUNITY, stream


@pytest.fixture(scope="module")
async def settings(fresh_database: FreshDatabase) -> AsyncIterator[Settings]:
    async with fresh_database(service_metadata(facts=True)) as fresh:
        yield fresh


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings, "toy")
    async with driver(engine) as connection:
        await connection.execute("truncate log, vault; update log_partition set position = 0")
    yield engine
    await engine.dispose()


@pytest.fixture
async def log(engine: AsyncEngine) -> AsyncIterator[PostgresLog]:
    log = PostgresLog(engine, "toy")
    await log.start()
    yield log
    await log.close()


class TestPostgresLog(LogConformance):
    pass


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


async def test_streams_that_are_asked_for_at_the_same_time_are_each_answered(log: PostgresLog) -> None:
    for number in range(40):
        await log.append(one(number, 0))
        if number % 2:
            await log.append(one(number, 1))

    found = await asyncio.gather(*(log.load(stream(n % 50), after) for after in (0, 1) for n in range(100)))

    versions = [[record.version for record in records] for records in found]
    assert versions[:50] == [[1, 2] if n % 2 else [1] for n in range(40)] + [[]] * 10
    assert versions[100:150] == [[2] if n % 2 else [] for n in range(40)] + [[]] * 10
    assert all(record.stream == stream(n % 50) for n, records in enumerate(found) for record in records)
    assert versions[50:100] == versions[:50]


async def test_a_look_shows_what_was_written_before_it_was_asked_for_however_many_are_under_way(
    log: PostgresLog,
) -> None:
    async def write_and_look(number: int) -> list[int]:
        seen = []
        for version in range(5):
            await log.append(one(number, version))
            seen.append(len(await log.load(stream(number))))
        return seen

    assert await asyncio.gather(*map(write_and_look, range(30))) == [[1, 2, 3, 4, 5]] * 30


async def test_who_goes_while_waiting_for_a_look_takes_nobody_along(log: PostgresLog) -> None:
    await log.append(one(1, 0))
    looks = [asyncio.create_task(log.load(stream(1))) for _ in range(60)]
    await asyncio.sleep(0)
    for look in looks[::2]:
        look.cancel()
    done = await asyncio.gather(*looks, return_exceptions=True)

    assert all(isinstance(found, asyncio.CancelledError) for found in done[::2])
    assert [len(found) for found in done[1::2] if not isinstance(found, BaseException)] == [1] * 30
    assert len(await log.load(stream(1))) == 1


async def test_who_waits_for_a_look_when_the_log_is_closed_hears_of_it(engine: AsyncEngine) -> None:
    log = PostgresLog(engine, "toy")
    looks = [asyncio.create_task(log.load(stream(n))) for n in range(60)]
    await asyncio.sleep(0)
    await log.close()
    done = await asyncio.gather(*looks, return_exceptions=True)

    assert all(found == [] or isinstance(found, Unavailable) for found in done)
    assert sum(isinstance(found, Unavailable) for found in done) >= 50


async def test_secrets_are_kept_only_with_their_events(log: PostgresLog, engine: AsyncEngine) -> None:
    vault = PostgresVault(engine)
    words = Secret(COMMUNITY, ALICE, stream(99), b'{"body":"hello"}')
    await log.append(one(1, 0))

    with pytest.raises(VersionConflict):
        await log.append(request(Write(stream(1), 0, (event(),)), secrets=(words,)))
    assert await vault.read(COMMUNITY, [stream(99)]) == {}

    await log.append(request(Write(stream(1), 1, (event(),)), secrets=(words,)))
    assert await vault.read(COMMUNITY, [stream(99), stream(98)]) == {stream(99): {"body": "hello"}}


@pytest.mark.parametrize("partitions", [6, 24])
async def test_a_log_that_was_made_with_other_partitions_takes_nothing(
    log: PostgresLog, engine: AsyncEngine, partitions: int
) -> None:
    other = PostgresLog(engine, "toy", partitions)
    await other.start()
    with pytest.raises(Unavailable, match="GUILDHALL_PARTITIONS=12"):
        await other.append(one(1, 0))
    await other.close()

    assert sum(await log.heads()) == 0


async def test_positions_that_would_be_given_out_twice_are_no_conflict_of_versions(
    log: PostgresLog, engine: AsyncEngine
) -> None:
    await log.append(one(1, 0))
    async with driver(engine) as connection:  # as after a restore of one of the two tables
        await connection.execute("update log_partition set position = 0")

    with pytest.raises(Unavailable, match="guildhall doctor"):
        await log.append(one(1, 1))
    assert len(await log.load(stream(1))) == 1


async def test_two_logs_on_one_database_give_out_positions_without_gaps(log: PostgresLog, engine: AsyncEngine) -> None:
    other = PostgresLog(engine, "toy")
    await other.start()

    answers = await asyncio.gather(
        *(outcome(log if n % 2 else other, one(n % 60, n // 60)) for n in range(600) if n // 60 < 3)
    )
    await other.close()

    for found in (await positions(log)).values():
        assert found == list(range(1, len(found) + 1))
    assert sum(map(len, (await positions(log)).values())) == sum(answer is not None for answer in answers)


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


async def test_nothing_is_left_waiting_when_the_log_is_closed(engine: AsyncEngine) -> None:
    log = PostgresLog(engine, "toy")
    await log.start()
    tasks = [asyncio.create_task(outcome(log, one(number, 0))) for number in range(50)]
    await asyncio.sleep(0)
    await log.close()

    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, (list, Unavailable)) for answer in answers)


async def test_a_partition_that_is_held_up_holds_up_no_other(log: PostgresLog, settings: Settings) -> None:
    stalled, waits = partition_of(stream(1), log.partitions), list[float]()
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
        for version in range(1_000):
            with suppress(Unavailable):
                await log.append(one(1, version))
            if loop.time() > until:
                return

    async with held_up(settings, stalled):
        both = request(Write(stream(1), 1_000, (event(),)), Write(stream(2), 1_000, (event(),)))
        spanning = asyncio.create_task(log.append(both))
        await asyncio.gather(
            write_where_it_is_held_up(),
            *(write(range(start, start + 10_000)) for start in range(10_000, 50_000, 10_000)),
        )
        with pytest.raises(Unavailable):
            await spanning

    assert max(waits) < 0.5
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
