"""The reader folds every position once, whatever its sources and its store do meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest

from shared.stream.source import Message
from shared.views import reader as reader_module
from shared.views.reader import Reader
from shared.views.store import Batch, ViewStore
from shared.views.store_memory import MemoryViewStore
from tests.shared.board import BOARD, ITEM, PARTITIONS, TABLES, VOTE_COUNT, VOTES, Books, a_history, every
from tests.shared.sources import ScriptedSource, has_read, read_until, sources
from tests.shared.views.metrics import metric

pytestmark = pytest.mark.usefixtures("quickly")


async def rows(store: ViewStore) -> dict[str, list[dict[str, Any]]]:
    return {table.name: await store.rows(table) for table in (*TABLES, VOTES)}


class Away(MemoryViewStore):
    """Does not answer until it is told to."""

    back = False

    async def write(self, batch: Batch) -> object:
        if not self.back:
            raise ConnectionError("away")
        return await super().write(batch)


class Silent(ScriptedSource):
    """Never answers where it ends."""

    questions = 0

    async def heads(self) -> Mapping[int, int]:
        self.questions += 1
        await asyncio.Event().wait()
        return {}


async def test_events_are_folded_and_the_watermarks_say_how_far() -> None:
    books, store = a_history(Books()), MemoryViewStore()
    unknown = metric("guildhall_view_unknown_total", source="beta", type="guildhall.beta.whispered.v1")
    reader = Reader([BOARD, VOTE_COUNT], sources(books), store)

    await read_until(reader, has_read(reader, books))

    assert sum(every(await store.rows(VOTES), "n")) == 40
    assert sum(every(await store.rows(ITEM), "votes")) == 40
    marks = await store.watermarks(["board", "vote_count"], "beta", range(PARTITIONS))
    assert {key: mark.position for key, mark in marks.items()} == {
        (view, p): len(books.records["beta"][p]) for view in ("board", "vote_count") for p in range(PARTITIONS)
    }
    seen = metric("guildhall_view_unknown_total", source="beta", type="guildhall.beta.whispered.v1")
    assert seen - unknown == 40


async def test_a_reader_says_when_it_had_read_everything() -> None:
    books, store = a_history(Books()), MemoryViewStore()
    both = sources(books)
    both[1].away = True
    reader = Reader([BOARD], both, store)

    await read_until(reader, lambda: "alpha" in reader.caught_up_at)

    assert "beta" not in reader.caught_up_at
    assert {key[1] for key in store.caught_up_at if key[0] == "board"} >= {"alpha"}


async def test_records_do_not_wait_for_the_answer_where_a_source_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "HEARTBEAT", 0.0)
    books, store = a_history(Books()), MemoryViewStore()
    both = [Silent(service, books.messages(service)) for service in ("alpha", "beta")]
    reader = Reader([BOARD], both, store, limit=1)

    await read_until(reader, has_read(reader, books))

    assert [source.questions for source in both] == [1, 1]
    assert reader.caught_up_at == {}


async def test_a_store_that_has_lost_its_last_batches_is_filled_again_though_nothing_new_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader_module, "HEARTBEAT", 0.0)
    books, store = a_history(Books()), MemoryViewStore()
    reader = Reader([BOARD], sources(books), store)
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
    books, store = a_history(Books()), MemoryViewStore()
    first = Reader([BOARD], sources(books), store)
    await read_until(first, has_read(first, books))
    alone = await rows(store)

    both = Reader([BOARD, VOTE_COUNT], sources(books), store)
    await read_until(both, has_read(both, books))

    assert sum(every(await store.rows(VOTES), "n")) == 40
    assert await rows(store) == alone | {"vote_count": await store.rows(VOTES)}


async def test_while_the_store_is_away_the_reader_waits_and_then_goes_on() -> None:
    books, store = a_history(Books()), Away()
    both = sources(books)
    reader = Reader([BOARD], both, store)

    def failing() -> bool:
        return metric("guildhall_view_failing", source="alpha") == 1 and bool(both[0].sought)

    task = asyncio.create_task(read_until(reader, has_read(reader, books)))
    async with asyncio.timeout(5):
        while not failing():
            await asyncio.sleep(0.001)
    store.back = True
    await task

    assert sum(every(await store.rows(ITEM), "votes")) == 40


async def test_two_readers_of_the_same_partitions_fold_every_event_once() -> None:
    books, store = a_history(Books(), 60), MemoryViewStore()
    readers = [Reader([BOARD, VOTE_COUNT], sources(books, Random(seed)), store) for seed in (1, 2)]

    await asyncio.gather(*(read_until(reader, has_read(reader, books)) for reader in readers))

    assert every(await store.rows(VOTES), "n") == [30, 30]


async def test_a_source_whose_task_was_cancelled_by_a_library_is_read_on() -> None:
    class Cancelled(ScriptedSource):
        cancelled = False

        async def read(self, limit: int, wait: float) -> Sequence[Message]:
            if not self.cancelled:
                self.cancelled = True
                raise asyncio.CancelledError
            return await super().read(limit, wait)

    books, store = a_history(Books()), MemoryViewStore()
    both: list[ScriptedSource] = [Cancelled(each.service, each.messages) for each in sources(books)]
    reader = Reader([BOARD], both, store)

    await asyncio.wait_for(read_until(reader, has_read(reader, books)), 5)

    assert sum(every(await store.rows(ITEM), "votes")) == 40
