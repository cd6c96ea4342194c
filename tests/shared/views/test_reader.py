"""The reader folds every position once, stops at a gap and nowhere else, and parks what cannot be folded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest
from prometheus_client import REGISTRY

from shared.event import to_wire
from shared.stream.source import BEGINNING, Mark, Message
from shared.views import gaps
from shared.views import reader as reader_module
from shared.views.reader import Reader
from shared.views.store import Batch, ViewStore, note_position
from shared.views.store_memory import MemoryViewStore
from tests.shared.board import (
    BOARD,
    ITEM,
    PARTITIONS,
    TABLES,
    VOTE_COUNT,
    VOTES,
    Books,
    Opened,
    Renamed,
    Voted,
    a_history,
    every,
    item,
    member,
)
from tests.shared.sources import ScriptedSource, has_read, positions, read_until, sources


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "PAUSES", (0.0, 0.001))
    monkeypatch.setattr(gaps, "SEARCHES", (0.01, 0.02))


async def rows(store: ViewStore) -> dict[str, list[dict[str, Any]]]:
    return {table.name: await store.rows(table) for table in (*TABLES, VOTES)}


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def board_of(*titles: str) -> Books:
    """One item with those titles, one after another, and one untouched beside it in the same partition."""
    books = Books(1)
    books.append(Opened(item(1), titles[0]), item(1))
    for title in titles[1:]:
        books.append(Renamed(item(1), title), item(1))
    books.append(Opened(item(2), "neighbour"), item(2))
    return books


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


async def test_a_gap_that_seeking_back_heals_is_no_stall() -> None:
    books = board_of("one", "two", "three")
    (whole,) = books.messages("alpha")
    source = ScriptedSource("alpha", [[whole[0], whole[2], whole[3]]])
    reader = Reader([BOARD], [source, ScriptedSource("beta", [[]])], MemoryViewStore())

    def heal() -> bool:
        if source.sought:
            source.messages = [whole]
        return positions(reader, "alpha") == [4]

    await read_until(reader, heal)
    await asyncio.sleep(0)

    assert reader.stalled == {}


async def test_a_gap_is_sought_at_the_mark_then_from_the_beginning_and_then_reported_while_others_go_on() -> None:
    books = Books(2)
    holed = item(1).int % 2
    for title in ("one", "two", "three"):
        books.append(Renamed(item(1), title), item(1))
    neighbour = next(item(n) for n in range(2, 50) if item(n).int % 2 != holed)
    books.append(Opened(neighbour, "neighbour"), neighbour)
    logs = books.messages("alpha")
    whole = logs[holed]
    logs[holed] = [whole[0], *whole[2:]]
    source = ScriptedSource("alpha", logs)
    store = MemoryViewStore()
    reader = Reader([BOARD], [source, ScriptedSource("beta", [[], []])], store)
    seeks: list[tuple[int, Mark]] = []

    def stalled() -> bool:
        seeks[:] = source.sought or seeks
        return bool(reader.stalled) and len(seeks) >= 4

    await read_until(reader, stalled)
    assert reader.stalled == {("alpha", holed): 2}
    assert metric("guildhall_view_stalled", source="alpha", partition=str(holed)) == 2
    assert seeks[:3] == [(holed, Mark(1, 0)), (holed, BEGINNING), (holed, BEGINNING)]
    assert positions(reader, "alpha")[1 - holed] == len(logs[1 - holed])

    source.messages[holed] = whole
    again = Reader([BOARD], [source, ScriptedSource("beta", [[], []])], store)
    await read_until(again, has_read(again, books))
    assert again.stalled == {}


async def test_a_stall_ends_when_the_position_appears() -> None:
    books = board_of("one", "two", "three")
    (whole,) = books.messages("alpha")
    source = ScriptedSource("alpha", [[whole[0], *whole[2:]]])
    reader = Reader([BOARD], [source, ScriptedSource("beta", [[]])], MemoryViewStore())

    def healed() -> bool:
        if reader.stalled:
            source.messages = [whole]
        return positions(reader, "alpha") == [4] and not reader.stalled

    await read_until(reader, healed)

    assert metric("guildhall_view_stalled", source="alpha", partition="0") == 0


async def test_an_event_that_cannot_be_folded_is_parked_with_the_later_ones_of_its_stream() -> None:
    books, store = board_of("one", "cursed", "three"), MemoryViewStore()
    reader = Reader([BOARD], [*sources_of(books)], store)

    await read_until(reader, has_read(reader, books))

    assert [(p.position, p.stream, p.reason) for p in await store.parked("board")] == [
        (2, item(1), "ValueError: This title cannot be folded."),
        (3, item(1), "an earlier event of its stream is parked"),
    ]
    assert {(r["item"], r["title"]) for r in await store.rows(ITEM)} == {(item(1), "one"), (item(2), "neighbour")}

    books.append(Renamed(item(1), "four"), item(1))
    later = Reader([BOARD], sources_of(books), store)
    await read_until(later, has_read(later, books))
    assert [p.position for p in await store.parked("board")] == [2, 3, 5]


def sources_of(books: Books) -> list[ScriptedSource]:
    return [ScriptedSource(s, books.messages(s)) for s in ("alpha", "beta")]


async def test_what_the_store_refuses_is_parked_for_the_view_that_cannot_hold_it() -> None:
    books, store = Books(1), MemoryViewStore()
    votes = [item(n) for n in range(20)]
    for n, stream in enumerate(votes):
        books.append(Voted(item(1), member(n), 2**62 if n in (5, 6, 7) else 1), stream)
    reader = Reader([BOARD, VOTE_COUNT], sources_of(books), store)

    await read_until(reader, has_read(reader, books))

    parked = await store.parked()
    assert [(p.view, p.position) for p in parked] == [("board", 7), ("board", 8)]
    assert all(p.reason.startswith("Refused: ") or "range" in p.reason for p in parked)
    assert every(await store.rows(VOTES), "n") == [20]
    assert every(await store.rows(ITEM), "votes") == [18]


async def test_data_that_does_not_decode_is_parked_and_unknown_types_pass() -> None:
    books, store = Books(1), MemoryViewStore()
    good = books.append(Opened(item(1), "one"), item(1))
    (messages,) = books.messages("alpha")
    broken = to_wire(_with(good, position=2, stream=item(2), data=b'{"item":5}'))
    newer = to_wire(_with(good, position=3, stream=item(3), type="guildhall.alpha.opened.v2", data=b"{}"))
    messages += [Message(0, 1, broken, None), Message(0, 2, newer, None)]
    source = ScriptedSource("alpha", [messages])
    reader = Reader([BOARD], [source, ScriptedSource("beta", [[]])], store)

    await read_until(reader, lambda: positions(reader, "alpha") == [3])

    (parked,) = await store.parked("board")
    assert (parked.position, parked.stream, parked.value) == (2, item(2), broken)
    assert parked.reason.startswith("Undecodable: guildhall.alpha.opened.v1")


def _with(record: Any, **changed: Any) -> Any:
    from msgspec.structs import replace

    return replace(record, **changed)


async def test_unreadable_records_that_fill_a_gap_are_parked_at_their_positions() -> None:
    books, store = board_of("one", "two", "three", "four"), MemoryViewStore()
    (messages,) = books.messages("alpha")
    for index in (1, 2):
        messages[index] = Message(0, index, b"\x00garbage", None)
    source = ScriptedSource("alpha", [messages], Random(3))
    reader = Reader([BOARD], [source, ScriptedSource("beta", [[]])], store)

    await read_until(reader, lambda: positions(reader, "alpha") == [5])

    parked = await store.parked("board")
    assert [(p.position, p.stream, p.value) for p in parked] == [(2, None, b"\x00garbage"), (3, None, b"\x00garbage")]
    assert {r["title"] for r in await store.rows(ITEM)} == {"four", "neighbour"}


async def test_an_unreadable_record_too_many_is_noted_once_and_holds_nothing_up() -> None:
    books, store = board_of("one", "two"), MemoryViewStore()
    (messages,) = books.messages("alpha")
    stray = [messages[0], Message(0, 1, None, None)]
    stray += [Message(0, n, m.value, None) for n, m in enumerate([messages[0], *messages[1:]], 2)]
    source = ScriptedSource("alpha", [stray], Random(1))
    reader = Reader([BOARD], [source, ScriptedSource("beta", [[]])], store)

    await read_until(reader, lambda: positions(reader, "alpha") == [3])

    assert [(p.position, p.stream) for p in await store.parked("board")] == [(note_position(1), None)]
    assert reader.stalled == {}


async def test_a_record_of_another_service_is_not_taken_for_an_event() -> None:
    books, store = board_of("one", "two"), MemoryViewStore()
    (messages,) = books.messages("alpha")
    strange = to_wire(_with(books.records["alpha"][0][1], service="elsewhere"))
    messages[1] = Message(0, 1, strange, None)
    reader = Reader([BOARD], [ScriptedSource("alpha", [messages]), ScriptedSource("beta", [[]])], store)

    await read_until(reader, lambda: positions(reader, "alpha") == [3])

    (parked,) = await store.parked("board")
    assert (parked.position, parked.reason) == (2, "Undecodable: the envelope is of another service or partition")


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
