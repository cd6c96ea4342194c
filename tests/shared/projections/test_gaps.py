"""The reader stops at a gap and nowhere else: the gap is sought, then reported, and over when it is filled."""

from __future__ import annotations

import asyncio

import pytest

from shared.projections.runner import ProjectionRunner
from shared.subscription.source import Mark
from tests.doubles.view_store import MemoryReadModelStore
from tests.shared.board import BOARD, Books, Opened, Renamed, board_of, item
from tests.shared.projections.metrics import metric
from tests.shared.sources import ScriptedSource, has_read, positions, read_until

pytestmark = pytest.mark.usefixtures("quickly")


async def test_a_gap_that_seeking_back_heals_is_no_stall() -> None:
    books = board_of("one", "two", "three")
    (whole,) = books.messages("alpha")
    source = ScriptedSource("alpha", [[whole[0], whole[2], whole[3]]])
    reader = ProjectionRunner([BOARD], [source, ScriptedSource("beta", [[]])], MemoryReadModelStore())

    def heal() -> bool:
        if source.sought:
            source.messages = [whole]
        return positions(reader, "alpha") == [4]

    await read_until(reader, heal)
    await asyncio.sleep(0)

    assert reader.stalled == {}


async def test_a_gap_is_sought_at_the_mark_again_and_again_and_reported_while_others_go_on() -> None:
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
    store = MemoryReadModelStore()
    reader = ProjectionRunner([BOARD], [source, ScriptedSource("beta", [[], []])], store)
    seeks: list[tuple[int, Mark]] = []

    def stalled() -> bool:
        seeks[:] = source.sought or seeks
        return bool(reader.stalled) and len(seeks) >= 4

    await read_until(reader, stalled)
    assert reader.stalled == {("alpha", holed): 2}
    assert metric("guildhall_view_stalled", source="alpha", partition=str(holed)) == 2
    assert set(seeks) == {(holed, Mark(1, 0))}
    assert positions(reader, "alpha")[1 - holed] == len(logs[1 - holed])

    source.messages[holed] = whole
    again = ProjectionRunner([BOARD], [source, ScriptedSource("beta", [[], []])], store)
    await read_until(again, has_read(again, books))
    assert again.stalled == {}


async def test_a_stall_ends_when_the_position_appears() -> None:
    books = board_of("one", "two", "three")
    (whole,) = books.messages("alpha")
    source = ScriptedSource("alpha", [[whole[0], *whole[2:]]])
    reader = ProjectionRunner([BOARD], [source, ScriptedSource("beta", [[]])], MemoryReadModelStore())

    def healed() -> bool:
        if reader.stalled:
            source.messages = [whole]
        return positions(reader, "alpha") == [4] and not reader.stalled

    await read_until(reader, healed)

    assert metric("guildhall_view_stalled", source="alpha", partition="0") == 0
