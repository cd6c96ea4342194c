"""Views that are about as far are read together; one that is far behind catches up by itself, and then joins them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from shared.projections.read_model import ReadModel
from shared.projections.runner import ProjectionRunner
from shared.projections.runners import ProjectionRunners, plan_groups
from shared.projections.store import Watermark
from shared.subscription.source import Marks, Message, Source
from tests.doubles.rows import rows_of
from tests.doubles.view_store import MemoryReadModelStore
from tests.shared.board import BOARD, PARTITIONS, TABLES, VOTE_COUNT, VOTES, Books, a_history, every
from tests.shared.sources import ScriptedSource, has_read, read_until, sources


async def test_views_far_behind_are_read_by_themselves_until_they_are_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.projections.runners.CLOSE", 10)
    store = MemoryReadModelStore()
    other = ReadModel("other", TABLES, BOARD.fold)
    for view in (BOARD, other):
        for source in view.sources:
            await store.watermarks([view.name], source, range(PARTITIONS))
    store.marks["board", "alpha", 0] = Watermark(100, 7, "token")

    apart = await plan_groups([BOARD, other, VOTE_COUNT], store, PARTITIONS)
    store.marks["other", "alpha", 0] = Watermark(95, 7, "token")
    close = await plan_groups([BOARD, other, VOTE_COUNT], store, PARTITIONS)

    assert [(g.name, [v.name for v in g.views]) for g in apart] == [
        ("views", ["board", "vote_count"]),
        ("other", ["other"]),
    ]
    assert [[v.name for v in g.views] for g in close] == [["board", "other", "vote_count"]]


async def test_a_new_view_joins_the_others_when_it_has_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.projections.runners.CLOSE", 10)
    monkeypatch.setattr("shared.projections.runners.LOOK", 0.01)
    books, store = a_history(Books()), MemoryReadModelStore()
    first = ProjectionRunner([BOARD], sources(books), store)
    await read_until(first, has_read(first, books))
    made: list[tuple[str, str]] = []

    def make(group: str, source: str, marks: Marks) -> Source:
        made.append((group, source))
        return ScriptedSource(source, books.messages(source))

    readers = ProjectionRunners([BOARD, VOTE_COUNT], make, store, PARTITIONS)
    with capture_logs():
        running = asyncio.create_task(readers.run())
        async with asyncio.timeout(60):
            while len(made) < 5 or sum(every(await rows_of(store, VOTES), "n")) < 40:
                await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert made == [
        ("views", "alpha"),
        ("views", "beta"),
        ("vote_count", "beta"),
        ("views", "alpha"),
        ("views", "beta"),
    ]
    assert sum(every(await rows_of(store, VOTES), "n")) == 40
    assert readers.stalled == {}


async def test_a_reader_tells_its_source_where_to_read_on() -> None:
    books, store = a_history(Books()), MemoryReadModelStore()
    told: list[dict[int, int]] = []

    class Shared(ScriptedSource):
        """Asks for its marks, as one does that shares its partitions with others."""

        marks: Marks

        async def read(self, limit: int, wait: float) -> Sequence[Message]:
            marks = await self.marks(range(PARTITIONS))
            told.append({partition: mark.position for partition, mark in marks.items()})
            return await super().read(limit, wait)

    def make(group: str, source: str, marks: Marks) -> Source:
        made = Shared(source, books.messages(source))
        made.marks = marks
        return made

    readers = ProjectionRunners([VOTE_COUNT], make, store, PARTITIONS)
    with capture_logs():
        running = asyncio.create_task(readers.run())
        async with asyncio.timeout(60):
            while sum(every(await rows_of(store, VOTES), "n")) < 40 or len(told) < 3:
                await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert told[0] == dict.fromkeys(range(PARTITIONS), 0)
    assert told[-1] == {p: len(books.records["beta"][p]) for p in range(PARTITIONS)}
