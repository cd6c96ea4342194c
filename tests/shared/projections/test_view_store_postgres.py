"""The view store in PostgreSQL is a view store, and concurrent workers lose nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import create_engine, driver
from shared.projections.heads import KEEP
from shared.projections.parked_store import Retried
from shared.projections.read_model import add, include, put
from shared.projections.store import Batch, WatermarkMove
from shared.projections.store_postgres import PostgresReadModelStore
from shared.settings import Settings
from tests.conftest import FreshDatabase
from tests.doubles.rows import rows_of
from tests.shared.board import DAILY, FIRST, METADATA, NOON, TABLES, VOTES, community, day, member
from tests.shared.projections.view_store_conformance import (
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

KERNEL = "watermark, log_head, parked, member_ordinal"
TRUNCATE = f"truncate {KERNEL}, vote_count, {', '.join(table.name for table in TABLES)}"


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
async def store(engine: AsyncEngine) -> AsyncIterator[PostgresReadModelStore]:
    store = PostgresReadModelStore(engine)
    yield store
    await store.close()


class TestPostgresViewStore(ViewStoreConformance):
    pass


async def noted(engine: AsyncEngine) -> dict[int, float | None]:
    """By partition, how many seconds ago the view was complete, as it is noted."""
    query = "select partition, extract(epoch from clock_timestamp() - caught_up_at)::float8 as age from watermark"
    async with driver(engine) as connection:
        return {row["partition"]: row["age"] for row in await connection.fetch(query)}


async def test_a_view_is_noted_to_be_complete_where_it_has_reached_the_heads(
    engine: AsyncEngine, store: PostgresReadModelStore
) -> None:
    await store.watermarks(["board"], "alpha", range(3))
    await store.note(["board"], "alpha", {0: 0, 1: 0, 2: 0})
    nobody_told = await noted(engine)
    async with driver(engine) as connection:
        ago = datetime.now(UTC) - timedelta(seconds=40)
        await connection.execute(KEEP, "alpha", ago, [0, 1, 0], 0.1)
    await store.note(["board"], "alpha", {0: 0, 1: 0})

    assert nobody_told == {0: None, 1: None, 2: None}
    assert await noted(engine) == {0: pytest.approx(40, abs=2), 1: None, 2: None}


async def test_an_event_of_a_time_to_come_does_not_say_up_to_when_a_view_is_complete(
    engine: AsyncEngine, store: PostgresReadModelStore
) -> None:
    for partition, ago in ((0, 40), (1, -40)):
        (before,) = (await store.watermarks(["board"], "alpha", [partition])).values()
        recorded_at = datetime.now(UTC) - timedelta(seconds=ago)
        await store.write(Batch(moves=[WatermarkMove("board", "alpha", partition, before, 1, None, recorded_at)]))

    assert await noted(engine) == {0: pytest.approx(40, abs=2), 1: None}


async def test_older_heads_pass_by_and_none_are_of_a_time_to_come(engine: AsyncEngine) -> None:
    now = datetime.now(UTC)
    kept = "select extract(epoch from clock_timestamp() - at)::float8 as age, positions from log_head"
    async with driver(engine) as connection:
        for seconds, position in ((40, 5), (50, 4), (-3600, 6), (0, 7)):
            await connection.execute(KEEP, "alpha", now - timedelta(seconds=seconds), [position], 4_000.0)
        row = await connection.fetchrow(kept)
        await connection.execute("update log_head set at = at + interval '1 hour'")  # before the clock was set back
        await connection.execute(KEEP, "alpha", now, [8], 0.1)
        after = await connection.fetchrow(kept)

    assert row is not None
    assert after is not None
    assert (row["positions"], after["positions"]) == ([6], [8])
    assert 0 <= row["age"] < 5
    assert 0 <= after["age"] < 5


async def test_workers_on_other_partitions_lose_no_member_and_no_number(engine: AsyncEngine) -> None:
    """Eight workers put new members into the same three sets at the same time, each member by two of them."""
    stores = [PostgresReadModelStore(engine, connections=1) for _ in range(8)]

    async def work(number: int) -> None:
        for n in range(10):
            who = [member(10 * (number % 4) + n), member(1_000 + n)]
            both = [include(DAILY, (HERE, day(d)), c, w) for w in who for d in range(3) for c in ("voters", "visitors")]
            await apply(stores[number], *both, add(DAILY, TODAY, n=1))

    await asyncio.gather(*(work(number) for number in range(8)))

    everybody = frozenset(member(n) for n in (*range(40), *range(1_000, 1_010)))
    rows = await rows_of(stores[0], DAILY)
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


async def test_a_put_that_is_too_old_waits_for_nobody(engine: AsyncEngine, store: PostgresReadModelStore) -> None:
    await apply(store, put(FIRST, ROW, 5, at=NOON))

    async with driver(engine) as another, another.transaction():
        await another.execute("select from first_vote for update")
        async with asyncio.timeout(1):
            await apply(store, put(FIRST, ROW, 4, at=None))

    (row,) = await rows_of(store, FIRST)
    assert (row["version"], row["at"]) == (5, NOON)


async def test_the_bytes_of_a_set_depend_on_its_members_alone(
    engine: AsyncEngine, store: PostgresReadModelStore
) -> None:
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


async def test_a_rolled_back_batch_teaches_no_ordinal(store: PostgresReadModelStore) -> None:
    before = await at(store)
    await store.write(Batch([step(before, 1)]))
    for _ in range(2):
        with pytest.raises(Exception, match="moved"):
            await store.write(Batch([step(before, 2)], changes(include(DAILY, TODAY, "voters", member(1)))))
    await apply(store, include(DAILY, TODAY, "voters", member(2)), include(DAILY, TODAY, "voters", member(1)))

    (row,) = await rows_of(store, DAILY)
    assert row["voters"] == {member(1), member(2)}


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
    store = PostgresReadModelStore(engine, wait_for_disk=False)
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
