"""What cannot be folded is parked where it stands, with what follows it in its stream, and holds nothing up."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from shared.events.envelope import to_wire
from shared.projections.parked_store import note_position
from shared.projections.runner import ProjectionRunner
from shared.subscription.source import Message
from tests.doubles.rows import rows_of
from tests.doubles.view_store import MemoryReadModelStore
from tests.shared.board import (
    BOARD,
    ITEM,
    VOTE_COUNT,
    VOTES,
    Books,
    Opened,
    Renamed,
    Voted,
    board_of,
    every,
    item,
    member,
)
from tests.shared.sources import ScriptedSource, has_read, positions, read_until

pytestmark = pytest.mark.usefixtures("quickly")


async def test_an_event_that_cannot_be_folded_is_parked_with_the_later_ones_of_its_stream() -> None:
    books, store = board_of("one", "cursed", "three"), MemoryReadModelStore()
    reader = ProjectionRunner([BOARD], [*sources_of(books)], store)

    await read_until(reader, has_read(reader, books))

    assert [(p.position, p.stream, p.reason) for p in await store.parked("board")] == [
        (2, item(1), "ValueError: This title cannot be folded."),
        (3, item(1), "an earlier event of its stream is parked"),
    ]
    assert {(r["item"], r["title"]) for r in await rows_of(store, ITEM)} == {(item(1), "one"), (item(2), "neighbour")}

    books.append(Renamed(item(1), "four"), item(1))
    later = ProjectionRunner([BOARD], sources_of(books), store)
    await read_until(later, has_read(later, books))
    assert [p.position for p in await store.parked("board")] == [2, 3, 5]


def sources_of(books: Books) -> list[ScriptedSource]:
    return [ScriptedSource(s, books.messages(s)) for s in ("alpha", "beta")]


async def test_what_the_store_refuses_is_parked_for_the_view_that_cannot_hold_it() -> None:
    books, store = Books(1), MemoryReadModelStore()
    votes = [item(n) for n in range(20)]
    for n, stream in enumerate(votes):
        books.append(Voted(item(1), member(n), 2**62 if n in (5, 6, 7) else 1), stream)
    reader = ProjectionRunner([BOARD, VOTE_COUNT], sources_of(books), store)

    await read_until(reader, has_read(reader, books))

    parked = await store.parked()
    assert [(p.view, p.position) for p in parked] == [("board", 7), ("board", 8)]
    assert all(p.reason.startswith("Refused: ") or "range" in p.reason for p in parked)
    assert every(await rows_of(store, VOTES), "n") == [20]
    assert every(await rows_of(store, ITEM), "votes") == [18]


async def test_data_that_does_not_decode_and_versions_that_nobody_knows_are_parked() -> None:
    books, store = Books(1), MemoryReadModelStore()
    good = books.append(Opened(item(1), "one"), item(1))
    (messages,) = books.messages("alpha")
    broken = to_wire(_with(good, position=2, stream=item(2), data=b'{"item":5}'))
    newer = to_wire(_with(good, position=3, stream=item(3), type="guildhall.alpha.opened.v2", data=b"{}"))
    messages += [Message(0, 1, broken, None), Message(0, 2, newer, None)]
    source = ScriptedSource("alpha", [messages])
    reader = ProjectionRunner([BOARD], [source, ScriptedSource("beta", [[]])], store)

    await read_until(reader, lambda: positions(reader, "alpha") == [3])

    parked, unknown = await store.parked("board")
    assert (parked.position, parked.stream, parked.value) == (2, item(2), broken)
    assert parked.reason.startswith("Undecodable: guildhall.alpha.opened.v1")
    assert (unknown.position, unknown.stream, unknown.value) == (3, item(3), newer)
    assert unknown.reason.startswith("UnknownVersion: guildhall.alpha.opened.v2")


def _with(record: Any, **changed: Any) -> Any:
    from msgspec.structs import replace

    return replace(record, **changed)


async def test_unreadable_records_that_fill_a_gap_are_parked_at_their_positions() -> None:
    books, store = board_of("one", "two", "three", "four"), MemoryReadModelStore()
    (messages,) = books.messages("alpha")
    for index in (1, 2):
        messages[index] = Message(0, index, b"\x00garbage", None)
    source = ScriptedSource("alpha", [messages], Random(3))
    reader = ProjectionRunner([BOARD], [source, ScriptedSource("beta", [[]])], store)

    await read_until(reader, lambda: positions(reader, "alpha") == [5])

    parked = await store.parked("board")
    assert [(p.position, p.stream, p.value) for p in parked] == [(2, None, b"\x00garbage"), (3, None, b"\x00garbage")]
    assert {r["title"] for r in await rows_of(store, ITEM)} == {"four", "neighbour"}


async def test_an_unreadable_record_too_many_is_noted_once_and_holds_nothing_up() -> None:
    books, store = board_of("one", "two"), MemoryReadModelStore()
    (messages,) = books.messages("alpha")
    stray = [messages[0], Message(0, 1, None, None)]
    stray += [Message(0, n, m.value, None) for n, m in enumerate([messages[0], *messages[1:]], 2)]
    source = ScriptedSource("alpha", [stray], Random(1))
    reader = ProjectionRunner([BOARD], [source, ScriptedSource("beta", [[]])], store)

    await read_until(reader, lambda: positions(reader, "alpha") == [3])

    assert [(p.position, p.stream) for p in await store.parked("board")] == [(note_position(1), None)]
    assert reader.stalled == {}


async def test_a_record_of_another_service_is_not_taken_for_an_event() -> None:
    books, store = board_of("one", "two"), MemoryReadModelStore()
    (messages,) = books.messages("alpha")
    strange = to_wire(_with(books.records["alpha"][0][1], service="elsewhere"))
    messages[1] = Message(0, 1, strange, None)
    reader = ProjectionRunner([BOARD], [ScriptedSource("alpha", [messages]), ScriptedSource("beta", [[]])], store)

    await read_until(reader, lambda: positions(reader, "alpha") == [3])

    (parked,) = await store.parked("board")
    assert (parked.position, parked.reason) == (2, "Undecodable: the envelope is of another service or partition")
