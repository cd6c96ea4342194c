"""The reader folds every position once, whatever its sources and its store do meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from shared.kafka.heads import Heads
from shared.projections import heartbeat
from shared.projections.runner import ProjectionRunner
from shared.projections.store import Batch, ReadModelStore
from shared.subscription.source import Message
from tests.doubles.rows import rows_of
from tests.doubles.view_store import MemoryReadModelStore
from tests.shared.board import BOARD, ITEM, PARTITIONS, TABLES, VOTE_COUNT, VOTES, Books, a_history, every
from tests.shared.projections.metrics import metric
from tests.shared.sources import ScriptedSource, has_read, read_until, sources

pytestmark = pytest.mark.usefixtures("quickly")


async def rows(store: ReadModelStore) -> dict[str, list[dict[str, Any]]]:
    return {table.name: await rows_of(store, table) for table in (*TABLES, VOTES)}


class Away(MemoryReadModelStore):
    """Does not answer until it is told to."""

    back = False

    async def write(self, batch: Batch) -> object:
        if not self.back:
            raise ConnectionError("away")
        return await super().write(batch)


async def test_events_are_folded_and_the_watermarks_say_how_far() -> None:
    books, store = a_history(Books()), MemoryReadModelStore()
    unknown = metric("guildhall_view_unknown_total", source="beta", type="guildhall.beta.whispered.v1")
    reader = ProjectionRunner([BOARD, VOTE_COUNT], sources(books), store)

    await read_until(reader, has_read(reader, books))

    assert sum(every(await rows_of(store, VOTES), "n")) == 40
    assert sum(every(await rows_of(store, ITEM), "votes")) == 40
    marks = await store.watermarks(["board", "vote_count"], "beta", range(PARTITIONS))
    assert {key: mark.position for key, mark in marks.items()} == {
        (view, p): len(books.records["beta"][p]) for view in ("board", "vote_count") for p in range(PARTITIONS)
    }
    seen = metric("guildhall_view_unknown_total", source="beta", type="guildhall.beta.whispered.v1")
    assert seen - unknown == 40


async def test_a_reader_notes_where_it_has_reached_the_heads_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT", 0.0)
    books, store = a_history(Books()), MemoryReadModelStore()
    now = datetime.now(UTC)
    heads = [len(log) for log in books.records["alpha"]]
    store.heads["alpha"] = Heads(now + timedelta(days=9), (heads[0], *(n + 1 for n in heads[1:])))
    reader = ProjectionRunner([BOARD], sources(books), store)

    def noted() -> set[tuple[str, str, int]]:
        return {place for place, at in store.caught_up_at.items() if at > now + timedelta(days=8)}

    await read_until(reader, lambda: has_read(reader, books)() and bool(noted()))

    assert noted() == {("board", "alpha", 0)}


async def test_a_store_that_has_lost_its_last_batches_is_filled_again_though_nothing_new_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT", 0.0)
    books, store = a_history(Books()), MemoryReadModelStore()
    reader = ProjectionRunner([BOARD], sources(books), store)
    running = asyncio.create_task(reader.run())
    whole = has_read(reader, books)
    async with asyncio.timeout(20):
        while not whole():
            await asyncio.sleep(0)
        before = await rows(store)
        store.tables.clear()
        store.marks.clear()
        while await rows(store) != before:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])


async def test_views_that_are_not_equally_far_are_each_read_from_where_they_are() -> None:
    books, store = a_history(Books()), MemoryReadModelStore()
    first = ProjectionRunner([BOARD], sources(books), store)
    await read_until(first, has_read(first, books))
    alone = await rows(store)

    both = ProjectionRunner([BOARD, VOTE_COUNT], sources(books), store)
    await read_until(both, has_read(both, books))

    assert sum(every(await rows_of(store, VOTES), "n")) == 40
    assert await rows(store) == alone | {"vote_count": await rows_of(store, VOTES)}


async def test_while_the_store_is_away_the_reader_waits_and_then_goes_on() -> None:
    books, store = a_history(Books()), Away()
    both = sources(books)
    reader = ProjectionRunner([BOARD], both, store)

    def failing() -> bool:
        return metric("guildhall_view_failing", source="alpha") == 1 and bool(both[0].sought)

    task = asyncio.create_task(read_until(reader, has_read(reader, books)))
    async with asyncio.timeout(60):
        while not failing():
            await asyncio.sleep(0.001)
    store.back = True
    await task

    assert sum(every(await rows_of(store, ITEM), "votes")) == 40


async def test_two_readers_of_the_same_partitions_fold_every_event_once() -> None:
    books, store = a_history(Books(), 60), MemoryReadModelStore()
    readers = [ProjectionRunner([BOARD, VOTE_COUNT], sources(books, Random(seed)), store) for seed in (1, 2)]

    await asyncio.gather(*(read_until(reader, has_read(reader, books)) for reader in readers))

    assert every(await rows_of(store, VOTES), "n") == [30, 30]


async def test_a_source_whose_task_was_cancelled_by_a_library_is_read_on() -> None:
    class Cancelled(ScriptedSource):
        cancelled = False

        async def read(self, limit: int, wait: float) -> Sequence[Message]:
            if not self.cancelled:
                self.cancelled = True
                raise asyncio.CancelledError
            return await super().read(limit, wait)

    books, store = a_history(Books()), MemoryReadModelStore()
    both: list[ScriptedSource] = [Cancelled(each.service, each.messages) for each in sources(books)]
    reader = ProjectionRunner([BOARD], both, store)

    await asyncio.wait_for(read_until(reader, has_read(reader, books)), 60)

    assert sum(every(await rows_of(store, ITEM), "votes")) == 40
