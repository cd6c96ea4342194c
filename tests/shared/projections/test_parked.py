"""What is parked is seen by everybody, and is folded once its cause is mended, while the view is read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from shared.events.event import Recorded
from shared.projections.parked import Replay, dismiss, replay, show_parked
from shared.projections.parked_store import note_position
from shared.projections.read_model import Change, ReadModel, put
from shared.projections.runner import ProjectionRunner
from shared.subscription.source import Message
from tests.doubles.rows import rows_of
from tests.doubles.view_store import MemoryReadModelStore
from tests.shared.board import BOARD, ITEM, TABLES, BoardEvent, Books, Closed, Opened, Renamed, fold, item
from tests.shared.sources import ScriptedSource, has_read, positions, read_until


def only_titles(event: BoardEvent, record: Recorded) -> Iterator[Change]:
    """The mended fold."""
    if isinstance(event, Renamed):
        yield put(ITEM, (record.community, event.item), record.version, title=event.title)
    else:
        yield from fold(event, record)


def too_long(event: BoardEvent, record: Recorded) -> Iterator[Change]:
    """A fold that the store refuses for one title."""
    if isinstance(event, Renamed):
        yield put(ITEM, (record.community, event.item), record.version, title=event.title, size=2 ** len(event.title))
    else:
        yield from fold(event, record)


MENDED = ReadModel("board", TABLES, only_titles)


def source(books: Books) -> list[ScriptedSource]:
    return [ScriptedSource(name, books.messages(name)) for name in ("alpha", "beta")]


async def read(books: Books, store: MemoryReadModelStore, view: ReadModel = BOARD) -> ProjectionRunner:
    reader = ProjectionRunner([view], source(books), store)
    await read_until(reader, has_read(reader, books))
    return reader


async def titles(store: MemoryReadModelStore) -> dict[str, str]:
    return {str(row["item"]): row["title"] for row in await rows_of(store, ITEM)}


@pytest.fixture
async def two_cursed() -> tuple[Books, MemoryReadModelStore]:
    """Two items, each opened, renamed to something that cannot be folded, and renamed again."""
    books, store = Books(1), MemoryReadModelStore()
    for number in (1, 2):
        books.append(Opened(item(number), "one"), item(number))
        books.append(Renamed(item(number), "cursed"), item(number))
        books.append(Renamed(item(number), f"last {number}"), item(number))
    await read(books, store)
    return books, store


async def test_a_stream_is_replayed_in_order_when_its_fold_is_mended(
    two_cursed: tuple[Books, MemoryReadModelStore],
) -> None:
    _, store = two_cursed

    result = await replay(store, MENDED, item(1))

    assert result == Replay(folded=2, kept=0)
    assert await titles(store) == {str(item(1)): "last 1", str(item(2)): "one"}
    assert {p.stream for p in await store.parked()} == {item(2)}


async def test_what_fails_again_stays_with_its_new_reason(two_cursed: tuple[Books, MemoryReadModelStore]) -> None:
    _, store = two_cursed

    def worse(event: BoardEvent, record: Recorded) -> Iterator[Change]:
        if isinstance(event, Renamed) and event.title == "last 2":
            raise LookupError("lost")
        yield from only_titles(event, record)

    result = await replay(store, ReadModel("board", TABLES, worse))

    assert result == Replay(folded=3, kept=1)
    assert [(p.stream, p.position, p.reason) for p in await store.parked()] == [(item(2), 6, "LookupError: lost")]
    assert await replay(store, BOARD) == Replay(folded=1, kept=0)


async def test_what_the_store_refuses_in_a_replay_stays_and_what_is_before_it_is_folded(
    two_cursed: tuple[Books, MemoryReadModelStore],
) -> None:
    books, store = two_cursed
    books.append(Renamed(item(1), "x" * 70), item(1))
    books.append(Closed(item(1)), item(1))
    await read(books, store)

    result = await replay(store, ReadModel("board", TABLES, too_long), item(1))

    assert result == Replay(folded=2, kept=2)
    kept = await store.parked(stream=item(1))
    assert [(p.position, p.reason.partition(":")[0]) for p in kept] == [
        (7, "item"),
        (8, "an earlier event of its stream is parked"),
    ]


async def test_a_reader_that_runs_learns_of_a_replay_and_folds_what_comes_then(
    two_cursed: tuple[Books, MemoryReadModelStore],
) -> None:
    books, store = two_cursed
    both = source(books)
    reader = ProjectionRunner([MENDED], both, store)
    running = asyncio.create_task(reader.run())
    async with asyncio.timeout(60):
        while positions(reader, "alpha") != [6]:
            await asyncio.sleep(0.001)
        await replay(store, MENDED)
        books.append(Renamed(item(1), "newest"), item(1))
        both[0].messages = books.messages("alpha")
        while positions(reader, "alpha") != [7]:
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert (await titles(store))[str(item(1))] == "newest"
    assert await store.parked() == []


async def test_a_stray_record_can_be_shown_and_dismissed_and_an_event_cannot() -> None:
    books, store = Books(1), MemoryReadModelStore()
    books.append(Opened(item(1), "one"), item(1))
    books.append(Renamed(item(1), "cursed"), item(1))
    (messages,) = books.messages("alpha")
    stray = [messages[0], Message(0, 1, b"stray", None), Message(0, 2, messages[1].value, None)]
    reader = ProjectionRunner([BOARD], [ScriptedSource("alpha", [stray]), ScriptedSource("beta", [[]])], store)
    await read_until(reader, lambda: positions(reader, "alpha") == [2])

    note = await show_parked(store, "board", "alpha", 0, note_position(1))
    assert note is not None
    assert (note.value, note.stream) == (b"stray", None)
    assert await replay(store, BOARD) == Replay(folded=0, kept=2)
    assert await dismiss(store, "board", "alpha", 0, 2) is False
    assert await dismiss(store, "board", "alpha", 0, note_position(1)) is True
    assert [p.position for p in await store.parked()] == [2]
    assert await show_parked(store, "board", "alpha", 0, 99) is None
