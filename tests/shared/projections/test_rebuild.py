"""A view is rebuilt beside the live one, compared with it row for row, and takes over while it is read and written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import create_engine, driver
from shared.events.errors import Conflict
from shared.projections.rebuild import Report, rebuild
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.settings import Settings
from shared.subscription.source import Source
from tests.conftest import FreshDatabase
from tests.doubles.rows import rows_of
from tests.doubles.view_store import MemoryReadModelStore
from tests.shared.board import BOARD, ITEM, METADATA, TABLES, Books, Opened, Renamed, Voted, a_history, item, member
from tests.shared.sources import ScriptedSource, has_read, read_until, sources

PARTITIONS = 2


@pytest.fixture
async def settings(fresh_database: FreshDatabase) -> AsyncIterator[Settings]:
    async with fresh_database(METADATA) as fresh:
        yield fresh


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings, "board", connections=20)
    yield engine
    await engine.dispose()


@pytest.fixture
async def store(engine: AsyncEngine) -> AsyncIterator[PostgresReadModelStore]:
    store = PostgresReadModelStore(engine)
    yield store
    await store.close()


def remake(books: Books) -> Callable[[], list[Source]]:
    return lambda: [*sources(books, Random(5))]


async def fill(store: PostgresReadModelStore | MemoryReadModelStore, books: Books) -> None:
    reader = ProjectionRunner([BOARD], sources(books), store)
    await read_until(reader, has_read(reader, books))


async def schema(engine: AsyncEngine) -> list[tuple[str, str]]:
    """Tables and indexes with their definitions."""
    query = "select tablename, indexdef from pg_indexes where schemaname = 'public' order by 1, 2"
    async with driver(engine) as connection:
        return [(row[0], row[1]) for row in await connection.fetch(query)]


async def all_rows(store: PostgresReadModelStore | MemoryReadModelStore) -> dict[str, Any]:
    return {table.name: await rows_of(store, table) for table in TABLES}


async def test_a_rebuilt_view_equals_the_live_one_and_takes_over(
    engine: AsyncEngine, store: PostgresReadModelStore
) -> None:
    books = a_history(Books(PARTITIONS), 60)
    await fill(store, books)
    before, tables = await all_rows(store), await schema(engine)
    async with driver(engine) as connection:
        live = await connection.fetchval("select 'item'::regclass::oid")
    seen: list[tuple[int, int]] = []

    report = await rebuild(BOARD, engine, remake(books), progress=lambda done, total: seen.append((done, total)))

    assert report.equal
    assert report.taken_over
    assert {t.table: t.live.rows for t in report.tables} == {name: len(rows) for name, rows in before.items()}
    assert report.positions == {s: [len(log) for log in logs] for s, logs in books.records.items()}
    assert seen[-1] == (240, 240)
    assert await all_rows(store) == before
    assert await schema(engine) == tables
    async with driver(engine) as connection:
        assert await connection.fetchval("select 'item'::regclass::oid") != live


async def test_a_view_may_be_rebuilt_again_as_soon_as_one_rebuild_has_ended(
    engine: AsyncEngine, store: PostgresReadModelStore
) -> None:
    books = a_history(Books(PARTITIONS), 5)
    await fill(store, books)
    async with driver(engine) as connection:
        for _ in range(3):
            await rebuild(BOARD, engine, remake(books), take_over=False)
            locks = "select count(*) from pg_locks l join pg_database d on d.oid = l.database"
            assert not await connection.fetchval(
                f"{locks} where l.locktype = 'advisory' and d.datname = current_database()"
            )


async def test_a_difference_is_told_row_by_row_and_accepted_only_when_asked(
    engine: AsyncEngine, store: PostgresReadModelStore
) -> None:
    books = a_history(Books(PARTITIONS), 40)
    await fill(store, books)
    right = await all_rows(store)
    async with driver(engine) as connection:
        await connection.execute("update item set votes = votes + 1 where item = any($1)", [item(1), item(2)])
        await connection.execute("delete from item where item = $1", item(3))
        await connection.execute("update daily set voters = '' where day = (select min(day) from daily)")

    refused = await rebuild(BOARD, engine, remake(books))
    async with driver(engine) as connection:
        untouched = await connection.fetchval("select count(*) from item where item = $1", item(3))
    accepted = await rebuild(BOARD, engine, remake(books), accept_difference=True)

    different = {table.table: table.different for table in refused.tables if not table.equal}
    assert different.pop("daily") >= 1
    assert different == {"item": 6}  # each is in two communities
    assert (refused.equal, refused.taken_over, untouched) == (False, False, 0)
    assert (accepted.equal, accepted.taken_over) == (False, True)
    assert await all_rows(store) == right


async def test_nothing_is_lost_when_a_view_is_rebuilt_while_it_is_read_and_written(
    engine: AsyncEngine, store: PostgresReadModelStore
) -> None:
    books = a_history(Books(PARTITIONS), 40)
    live_sources = sources(books)
    reader = ProjectionRunner([BOARD], live_sources, store)
    answers: list[int] = []
    stop = asyncio.Event()

    async def write() -> None:
        """New events for as long as it is rebuilt, on the live reader's sources and on all made later."""
        n = 0
        while not stop.is_set():
            n += 1
            books.append(Voted(item(n % 9), member(n % 50), 1), uuid4())
            books.append(Renamed(item(n % 7), f"later {n}"), item(n % 7))
            for source in live_sources:
                source.messages = books.messages(source.service)
            await asyncio.sleep(0.01)

    async def read() -> None:
        while not stop.is_set():
            async with driver(engine) as connection:
                answers.append(await connection.fetchval("select count(*) from item join daily using (community)"))

    class Growing(ScriptedSource):
        async def read(self, limit: int, wait: float) -> Any:
            self.messages = books.messages(self.service)
            return await super().read(limit, wait)

    def make() -> list[Source]:
        return [Growing(service, books.messages(service)) for service in ("alpha", "beta")]

    async def rebuild_twice() -> list[Report]:
        try:
            return [await rebuild(BOARD, engine, make) for _ in range(2)]
        finally:
            stop.set()

    running = asyncio.create_task(reader.run())
    reports, *_ = await asyncio.gather(rebuild_twice(), write(), read())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await fill(store, books)

    assert [(report.equal, report.taken_over) for report in reports] == [(True, True)] * 2
    assert len(answers) > 20
    expected = MemoryReadModelStore()
    await fill(expected, books)
    assert await all_rows(store) == await all_rows(expected)


async def test_parked_events_belong_to_the_generation_that_could_not_fold_them(
    engine: AsyncEngine, store: PostgresReadModelStore
) -> None:
    books = Books(PARTITIONS)
    books.append(Opened(item(1), "one"), item(1))
    books.append(Renamed(item(1), "cursed"), item(1))
    await fill(store, books)

    report = await rebuild(BOARD, engine, remake(books))

    assert (report.equal, report.parked) == (True, 1)
    assert [(p.view, p.stream) for p in await store.parked()] == [("board", item(1))]


async def test_what_an_interrupted_rebuild_left_is_removed_by_the_next(
    engine: AsyncEngine, store: PostgresReadModelStore
) -> None:
    books = a_history(Books(PARTITIONS), 20)
    await fill(store, books)
    async with driver(engine) as connection:
        await connection.execute("create table item__next (nonsense int)")
        await connection.execute(
            "insert into watermark (view, source, partition, position) values ('board@next', 'alpha', 0, 99)"
        )

    report = await rebuild(BOARD, engine, remake(books))

    assert report.equal
    async with driver(engine) as connection:
        assert await connection.fetchval("select to_regclass('item__next')") is None
        assert await connection.fetchval("select count(*) from watermark where view = 'board@next'") == 0


async def test_one_view_is_rebuilt_by_one_at_a_time(engine: AsyncEngine, store: PostgresReadModelStore) -> None:
    books = a_history(Books(PARTITIONS), 20)
    await fill(store, books)
    started = asyncio.Event()

    def first() -> list[Source]:
        started.set()
        return [*sources(books)]

    async def second() -> None:
        await started.wait()
        with pytest.raises(Conflict):
            await rebuild(BOARD, engine, remake(books))

    both: list[Awaitable[Any]] = [rebuild(BOARD, engine, first), second()]
    report, _ = await asyncio.gather(*both)
    assert report.taken_over
    assert len(await rows_of(store, ITEM)) == 14


async def test_a_live_view_that_locks_its_marks_in_another_order_is_waited_for(
    engine: AsyncEngine, store: PostgresReadModelStore
) -> None:
    books = a_history(Books(PARTITIONS), 20)
    await fill(store, books)
    mark = "select from watermark where view = 'board' and source = $1 and partition = $2 for update"
    waiting = "select count(*) from pg_locks where not granted"
    async with driver(engine) as live, driver(engine) as other:
        # It is the rebuild that the database ends, not the one that was there first.
        await live.execute("set deadlock_timeout = '5s'; begin")
        await live.execute(mark, "beta", PARTITIONS - 1)
        rebuilding = asyncio.create_task(rebuild(BOARD, engine, remake(books)))
        while not await other.fetchval(waiting):
            await asyncio.sleep(0.01)

        await live.execute(mark, "alpha", 0)
        await live.execute("rollback; reset deadlock_timeout")

        assert (await rebuilding).equal
