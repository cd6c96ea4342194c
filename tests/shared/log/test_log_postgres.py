"""The log in PostgreSQL is a log, also when many look at it at once and when two write to one database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import driver
from shared.events.claim import Claim
from shared.events.errors import AlreadyMade, Unavailable
from shared.log.keys import IdempotencyKey
from shared.log.port import ClaimTaken, VaultRow, VersionConflict, Write
from shared.log.postgres import PostgresLog
from shared.vault import PostgresVault
from tests.shared.log.log_conformance import LogConformance, claiming, event, one, outcome, positions, request
from tests.shared.toy import ALICE, COMMUNITY, NOON, stream


class TestPostgresLog(LogConformance):
    pass


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


async def test_of_two_processes_that_take_one_key_at_once_one_gets_it(log: PostgresLog, engine: AsyncEngine) -> None:
    other = PostgresLog(engine, "toy")
    await other.start()
    for turn in range(100):
        key, numbers = Claim("name", f"key {turn}"), (2 * turn, 2 * turn + 1)
        tried = await asyncio.gather(
            *(each.append(claiming(number, 0, key)) for each, number in zip((log, other), numbers, strict=True)),
            return_exceptions=True,
        )
        assert [type(each) for each in tried].count(ClaimTaken) == 1
        (holder,) = await log.holders_of(COMMUNITY, key)
        assert [len(await other.load(stream(n))) for n in numbers] == [int(holder == stream(n)) for n in numbers]
    await other.close()


async def test_secrets_are_kept_only_with_their_events(log: PostgresLog, engine: AsyncEngine) -> None:
    vault = PostgresVault(engine)
    words = VaultRow(COMMUNITY, ALICE, stream(99), b'{"body":"hello"}')
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


async def test_nothing_is_left_waiting_when_the_log_is_closed(engine: AsyncEngine) -> None:
    log = PostgresLog(engine, "toy")
    await log.start()
    tasks = [asyncio.create_task(outcome(log, one(number, 0))) for number in range(50)]
    await asyncio.sleep(0)
    await log.close()

    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, (list, Unavailable)) for answer in answers)


@pytest.mark.parametrize("first", [True, False])
async def test_a_key_that_comes_twice_takes_the_appends_beside_it_into_no_transactions_of_their_own(
    log: PostgresLog, engine: AsyncEngine, first: bool
) -> None:
    key = IdempotencyKey(uuid4(), b"said", NOON)
    appends = [replace(one(number, 0), key=key if number < 2 else None) for number in range(40)]
    if first:
        await log.append(appends.pop(0))
    answers = await asyncio.gather(*map(log.append, appends), return_exceptions=True)

    async with driver(engine) as connection:
        transactions = await connection.fetchval("select count(distinct xmin::text) from log")
    assert [type(answer) for answer in answers].count(AlreadyMade) == 1
    assert (sum(await log.heads()), transactions) == (39, 1 + first)
