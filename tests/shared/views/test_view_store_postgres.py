"""The view store in PostgreSQL is a view store, and concurrent workers lose nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import create_engine, driver
from shared.settings import Settings
from shared.views.store import Batch, Retried
from shared.views.store_postgres import PostgresViewStore
from shared.views.view import add, include, put
from tests.conftest import FreshDatabase
from tests.e2e.system import free_port
from tests.faults.proxy import Proxy
from tests.shared.board import DAILY, FIRST, METADATA, NOON, TABLES, VOTES, community, day, member
from tests.shared.views.view_store_conformance import (
    HERE,
    ROW,
    TODAY,
    ViewStoreConformance,
    apply,
    at,
    changes,
    parked,
    step,
)

TRUNCATE = f"truncate watermark, parked, member_ordinal, vote_count, {', '.join(table.name for table in TABLES)}"


@pytest.fixture(scope="module")
async def settings(fresh_database: FreshDatabase) -> AsyncIterator[Settings]:
    async with fresh_database(METADATA) as fresh:
        yield fresh


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings, "board", connections=20)
    async with driver(engine) as connection:
        await connection.execute(TRUNCATE)
    yield engine
    await engine.dispose()


@pytest.fixture
async def store(engine: AsyncEngine) -> AsyncIterator[PostgresViewStore]:
    store = PostgresViewStore(engine)
    yield store
    await store.close()


class TestPostgresViewStore(ViewStoreConformance):
    pass


async def test_a_view_is_noted_to_hold_all_that_there_was_and_not_what_came_while_it_was_noted(
    engine: AsyncEngine, settings: Settings
) -> None:
    upstream = make_url(settings.database_url)
    proxy = Proxy(free_port(), upstream.port or 5432)
    through = upstream.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
    slow = create_engine(settings.model_copy(update={"database_url": through}), "board")
    store = PostgresViewStore(slow)
    async with AsyncExitStack() as stack:
        await proxy.start()
        for end in (proxy.close, slow.dispose, store.close):
            stack.push_async_callback(end)
        stack.callback(proxy.mend)
        connection = await stack.enter_async_context(driver(engine))
        await store.watermarks(["board"], "alpha", [0])
        proxy.delay(0.3)
        asked_at, asked = await connection.fetchval("select clock_timestamp()"), time.monotonic()

        await store.caught_up(["board"], "alpha", {0: 0}, asked)

        noted = await connection.fetchval("select caught_up_at from watermark where view = 'board'")
    assert timedelta(seconds=-1.5) < noted - asked_at < timedelta(seconds=0.1)


async def test_workers_on_other_partitions_lose_no_member_and_no_number(engine: AsyncEngine) -> None:
    """Eight workers put new members into the same three sets at the same time, each member by two of them."""
    stores = [PostgresViewStore(engine, connections=1) for _ in range(8)]

    async def work(number: int) -> None:
        for n in range(10):
            who = [member(10 * (number % 4) + n), member(1_000 + n)]
            both = [include(DAILY, (HERE, day(d)), c, w) for w in who for d in range(3) for c in ("voters", "visitors")]
            await apply(stores[number], *both, add(DAILY, TODAY, n=1))

    await asyncio.gather(*(work(number) for number in range(8)))

    everybody = frozenset(member(n) for n in (*range(40), *range(1_000, 1_010)))
    rows = await stores[0].rows(DAILY)
    assert [(row["n"], row["voters"] == everybody, row["visitors"] == everybody) for row in rows] == [
        (80, True, True),
        (0, True, True),
        (0, True, True),
    ]
    async with driver(engine) as connection:
        ordinals = await connection.fetch("select ordinal from member_ordinal order by ordinal")
    assert [row["ordinal"] for row in ordinals] == list(range(1, 51))
    for each in stores:
        await each.close()


async def test_a_put_that_is_too_old_waits_for_nobody(engine: AsyncEngine, store: PostgresViewStore) -> None:
    await apply(store, put(FIRST, ROW, 5, at=NOON))

    async with driver(engine) as another, another.transaction():
        await another.execute("select from first_vote for update")
        async with asyncio.timeout(1):
            await apply(store, put(FIRST, ROW, 4, at=None))

    (row,) = await store.rows(FIRST)
    assert (row["version"], row["at"]) == (5, NOON)


async def test_the_bytes_of_a_set_depend_on_its_members_alone(engine: AsyncEngine, store: PostgresViewStore) -> None:
    other = community(1)
    numbers = [3, 1, 2, 50, 4, 9, 8, 7, 60, 61, 62]
    for where in (HERE, other):
        # The dictionary gives both communities the same ordinals.
        await apply(store, *(include(DAILY, (where, day(9)), "voters", member(n)) for n in sorted(numbers)))

    for n in numbers:
        await apply(store, include(DAILY, TODAY, "voters", member(n)))
    await apply(store, *(include(DAILY, (other, day(0)), "voters", member(n)) for n in numbers))

    async with driver(engine) as connection:
        rows = await connection.fetch("select distinct voters from daily")
    assert len(rows) == 1


async def test_a_rolled_back_batch_teaches_no_ordinal(store: PostgresViewStore) -> None:
    before = await at(store)
    await store.write(Batch([step(before, 1)]))
    for _ in range(2):
        with pytest.raises(Exception, match="moved"):
            await store.write(Batch([step(before, 2)], changes(include(DAILY, TODAY, "voters", member(1)))))
    await apply(store, include(DAILY, TODAY, "voters", member(2)), include(DAILY, TODAY, "voters", member(1)))

    (row,) = await store.rows(DAILY)
    assert row["voters"] == {member(1), member(2)}


async def test_a_note_that_had_to_wait_does_not_say_that_the_view_was_caught_up_later(
    store: PostgresViewStore, engine: AsyncEngine
) -> None:
    await store.watermarks(["board"], "alpha", [0])
    async with driver(engine) as connection:
        async with connection.transaction():
            await connection.execute("update watermark set moved_at = now()")
            before = await connection.fetchval("select clock_timestamp()")
            noting = asyncio.create_task(store.caught_up(["board"], "alpha", {0: 0}, time.monotonic()))
            await asyncio.sleep(0.5)
        await noting
        said = await connection.fetchval("select caught_up_at from watermark")

    assert abs((said - before).total_seconds()) < 0.2


WITNESS = """
create table said (what text, waits text);
create function say() returns trigger language plpgsql as $$ begin
    insert into said values (tg_table_name, current_setting('synchronous_commit'));
    return null;
end $$;
create trigger say after insert on member_ordinal for each statement execute function say();
create trigger say after insert on vote_count for each statement execute function say();
create trigger say after delete on parked for each statement execute function say();
"""
NO_WITNESS = "drop function say cascade; drop table said"


async def test_what_is_remembered_or_told_to_somebody_is_on_the_disk_first(engine: AsyncEngine) -> None:
    store = PostgresViewStore(engine, wait_for_disk=False)
    async with driver(engine) as connection:
        await connection.execute(WITNESS)
        await apply(store, add(VOTES, (HERE,), n=1))
        await apply(store, include(DAILY, TODAY, "voters", member(1)))
        await store.replay("board", parked(3), "", lambda found: Retried({}, found, []))
        await store.dismiss(parked(-1))
        said = [tuple(row) for row in await connection.fetch("select what, waits from said")]
        await connection.execute(NO_WITNESS)
    await store.close()

    assert said == [("vote_count", "off"), ("member_ordinal", "on"), ("parked", "on"), ("parked", "on")]
