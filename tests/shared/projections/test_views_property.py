"""Any interleaving, any duplication, any batch cut and any failure give the same read models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from shared.db import create_engine, driver
from shared.projections.parked import replay
from shared.projections.read_model import ReadModel, put
from shared.projections.runner import ProjectionRunner
from shared.projections.store import Batch, ReadModelStore
from shared.projections.store_postgres import PostgresReadModelStore
from tests.conftest import FreshDatabase
from tests.doubles.rows import rows_of
from tests.doubles.view_store import MemoryReadModelStore
from tests.shared.board import (
    BOARD,
    ITEM,
    METADATA,
    NOON,
    TABLES,
    VOTE_COUNT,
    VOTES,
    BoardEvent,
    Books,
    Closed,
    Opened,
    Renamed,
    Visited,
    Voted,
    Whispered,
    community,
    fold,
    item,
    member,
)
from tests.shared.projections.test_view_store_postgres import TRUNCATE
from tests.shared.sources import FailingStore, has_read, read_until, sources

small = st.integers(0, 4)
titles = st.sampled_from(["one", "two", "cursed", "社群"])
events = st.one_of(
    st.builds(Opened, item=small.map(item), title=titles, tags=st.tuples(titles), size=st.integers(-5, 5)),
    st.builds(Renamed, item=small.map(item), title=titles),
    st.builds(Closed, item=small.map(item)),
    st.builds(Voted, item=small.map(item), member=small.map(member), points=st.integers(-9, 9)),
    st.builds(Visited, member=small.map(member)),
    st.just(Whispered()),
)
histories = st.lists(st.tuples(events, small, st.integers(0, 60)), max_size=60)


def written(history: list[tuple[Any, int, int]]) -> Books:
    """Items are streams of their own in one community each; votes and visits are streams by number."""
    books = Books()
    for event, number, hours in history:
        about = getattr(event, "item", None) if not isinstance(event, Voted) else None
        where = community(0) if about is None else community(about.int % 2)
        books.append(event, about or member(100 + number), at=NOON + timedelta(hours=hours), where=where)
    return books


async def rows(store: ReadModelStore) -> dict[str, list[dict[str, Any]]]:
    return {table.name: await rows_of(store, table) for table in (*TABLES, VOTES)}


async def in_order(books: Books) -> MemoryReadModelStore:
    """One event after another, one log after another, nothing repeated: what every other way must equal."""
    store = MemoryReadModelStore()
    reader = ProjectionRunner([BOARD, VOTE_COUNT], sources(books), store, limit=1)
    await read_until(reader, has_read(reader, books))
    return store


async def in_any_way(books: Books, store: ReadModelStore, *seeds: int) -> None:
    """One reader for each seed, all at once."""
    # One patch around them all: those of several tasks would not be taken back in the order that they need.
    with patch("shared.projections.feed.PAUSES", (0.0, 0.0)), capture_logs():
        readers = [ProjectionRunner([BOARD, VOTE_COUNT], sources(books, Random(seed)), store) for seed in seeds]
        await asyncio.gather(*(read_until(reader, has_read(reader, books)) for reader in readers))


async def parked(store: ReadModelStore) -> list[tuple[Any, ...]]:
    return [(p.view, p.source, p.partition, p.position, p.stream, p.reason) for p in await store.parked()]


@settings(max_examples=150, deadline=None)
@given(history=histories, seed=st.integers(0, 2**32))
async def test_order_repeats_and_cuts_make_no_difference(history: list[tuple[Any, int, int]], seed: int) -> None:
    books, store = written(history), MemoryReadModelStore()
    expected = await in_order(books)

    await in_any_way(books, store, seed)

    assert await rows(store) == await rows(expected)
    assert await parked(store) == await parked(expected)


@settings(max_examples=75, deadline=None)
@given(history=histories, seed=st.integers(0, 2**32))
async def test_failing_transactions_make_no_difference(history: list[tuple[Any, int, int]], seed: int) -> None:
    books, store = written(history), FailingStore()
    store.random, store.probability = Random(seed), 0.2

    await in_any_way(books, store, seed)

    assert await rows(store) == await rows(await in_order(books))


@settings(max_examples=75, deadline=None)
@given(history=histories, seed=st.integers(0, 2**32))
async def test_what_was_parked_and_replayed_is_as_if_it_had_never_been_parked(
    history: list[tuple[Any, int, int]], seed: int
) -> None:
    books, store = written(history), MemoryReadModelStore()
    mended = ReadModel("board", TABLES, fold_cursed_too)

    await in_any_way(books, store, seed)
    await replay(store, mended)

    clean = MemoryReadModelStore()
    reader = ProjectionRunner([mended, VOTE_COUNT], sources(books), clean)
    await read_until(reader, has_read(reader, books))
    assert await rows(store) == await rows(clean)
    assert await parked(store) == []


def fold_cursed_too(event: BoardEvent, record: Any) -> Any:
    if isinstance(event, Renamed):
        return [put(ITEM, (record.community, event.item), record.version, title=event.title)]
    return fold(event, record)


@pytest.fixture(scope="module")
async def postgres(fresh_database: FreshDatabase) -> AsyncIterator[PostgresReadModelStore]:
    async with fresh_database(METADATA) as fresh:
        engine = create_engine(fresh, "board")
        store = PostgresReadModelStore(engine)
        yield store
        await store.close()
        await engine.dispose()


class FailingPostgres:
    """The real store, which says that a transaction failed that did not, or does not begin it."""

    def __init__(self, store: PostgresReadModelStore, seed: int) -> None:
        self._store = store
        self._random = Random(seed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, batch: Batch) -> object:
        dice = self._random.random()
        if dice < 0.1:
            raise ConnectionError("before")
        token = await self._store.write(batch)
        if dice < 0.2:
            raise ConnectionError("after")
        return token


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, seed=st.integers(0, 2**32))
async def test_none_of_this_makes_a_difference_in_postgresql(
    postgres: PostgresReadModelStore, history: list[tuple[Any, int, int]], seed: int
) -> None:
    books = written(history)
    async with driver(postgres._held._engine) as connection:
        await connection.execute(TRUNCATE)
    postgres._ordinals._known.clear()

    await in_any_way(books, FailingPostgres(postgres, seed), seed)

    expected = await in_order(books)
    assert await rows(postgres) == await rows(expected)
    assert await parked(postgres) == await parked(expected)


@settings(max_examples=10, deadline=None)
@given(history=histories, seed=st.integers(0, 2**32))
async def test_several_workers_at_once_make_no_difference(history: list[tuple[Any, int, int]], seed: int) -> None:
    books, store = written(history), MemoryReadModelStore()

    await in_any_way(books, store, seed, seed + 1, seed + 2)

    assert await rows(store) == await rows(await in_order(books))
