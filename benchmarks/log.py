"""The log beside plain asyncpg: one INSERT per event, one SELECT per stream, on the same tables."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg

from benchmarks.measuring import Load, Result, against, at_least, at_most, drive
from shared.db import create_engine
from shared.log.port import Append, NewEvent, Write, partition_of
from shared.log.postgres import PostgresLog
from shared.settings import Settings
from shared.tables import service_metadata
from tests.databases import fresh_database
from tests.stack import Stack

COMMUNITY, MEMBER = uuid4(), uuid4()
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TYPE = "guildhall.content.thread-opened.v1"
DATA = b'{"thread_id":"%s","tags":["discussion"]}' % (b"x" * 200)
PARTITIONS = 12

INSERT = """insert into log (partition, position, stream, version, type, id, community, actor, occurred_at, data)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
INSERT_TEN = """insert into log (partition, position, stream, version, type, id, community, actor, occurred_at, data)
select * from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::int[], $5::text[], $6::uuid[], $7::uuid[],
                     $8::uuid[], $9::timestamptz[], $10::bytea[])"""
SELECT = "select * from log where stream = $1 and version > $2 order by version"

Operation = Callable[[], Awaitable[object]]


def append(events: int) -> Append:
    new = tuple(NewEvent(uuid4(), TYPE, DATA) for _ in range(events))
    return Append(COMMUNITY, MEMBER, NOW, None, (Write(uuid4(), 0, new),))


def row(stream: UUID, data: bytes = DATA, version: int = 1) -> tuple[object, ...]:
    """The same row for a plain INSERT; a random position stands for one that somebody else gave out."""
    partition = partition_of(stream, PARTITIONS)
    return (partition, random.getrandbits(60), stream, version, TYPE, uuid4(), COMMUNITY, MEMBER, NOW, data)


def rows(events: int) -> list[tuple[object, ...]]:
    """The same for several events of one stream."""
    stream = uuid4()
    return [row(stream, version=version) for version in range(1, events + 1)]


async def measure(stack: Stack) -> list[Result]:
    async with fresh_database(stack, service_metadata(facts=True)) as settings, _log(settings) as log:
        pool = await asyncpg.create_pool(settings.database_url, min_size=32, max_size=32)
        results = [*await _appends(log, pool), *await _loads(log, pool)]
        await pool.close()
    return results


@asynccontextmanager
async def _log(settings: Settings) -> AsyncIterator[PostgresLog]:
    engine = create_engine(settings, "benchmark")
    log = PostgresLog(engine, "benchmark", PARTITIONS)
    await log.start()
    yield log
    await log.close()
    await engine.dispose()


async def _appends(log: PostgresLog, pool: asyncpg.Pool[asyncpg.Record]) -> list[Result]:
    async def ours() -> object:
        return await log.append(append(1))

    async def plain() -> object:
        return await pool.execute(INSERT, *rows(1)[0])

    async def ours_ten() -> object:
        return await log.append(append(10))

    async def plain_ten() -> object:
        return await pool.execute(INSERT_TEN, *zip(*rows(10), strict=True))

    one, one_limit = await _compare(1, ours, plain)
    many, many_limit = await _compare(32, ours, plain)
    ten, ten_limit = await _compare(1, ours_ten, plain_ten)
    return [
        at_least("append, 1 client", one.rate, one_limit.rate, 0.85),
        at_least("append, 32 clients", many.rate, many_limit.rate, 1.7),
        at_most("append, 32 clients, p99", many.p99, many_limit.p99),
        at_least("append 10 events at once", ten.rate, ten_limit.rate, 0.9),
    ]


async def _loads(log: PostgresLog, pool: asyncpg.Pool[asyncpg.Record]) -> list[Result]:
    streams: list[UUID] = []
    for _ in range(200):
        request = append(20)
        await log.append(request)
        streams.append(request.writes[0].stream)

    async def ours() -> object:
        return await log.load(random.choice(streams))

    async def plain() -> object:
        return await pool.fetch(SELECT, random.choice(streams), 0)

    load, limit = await _compare(1, ours, plain)
    return [at_least("load a stream of 20 events", load.rate, limit.rate, 0.9)]


async def _compare(clients: int, ours: Operation, limit: Operation) -> tuple[Load, Load]:
    return await against(lambda: drive(clients, ours), lambda: drive(clients, limit))
