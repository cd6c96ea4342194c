"""What every view store must do; an implementation's test module inherits this class and provides `store`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.projections.merge import Merged, merge
from shared.projections.parked_store import Parked, Retried, note_position
from shared.projections.read_model import Change, add, drop, include, put
from shared.projections.read_model_table import NEVER
from shared.projections.store import Batch, ReadModelStore, Unwritable, Watermark, WatermarkConflict, WatermarkMove
from tests.doubles.rows import rows_of
from tests.shared.board import DAILY, FIRST, ITEM, NOON, WATCHED, community, day, every, item, member

HERE = community()
ROW = (HERE, item(1))
TODAY = (HERE, day(0))
FULL = {
    "title": "A title",
    "tags": ["a", 'with "quotes", \\ and {braces}', "", "NULL", "社群"],
    "related": [item(2), item(3)],
    "about": {"n": 1, "deep": [{"x": None}, "y"]},
    "opened_at": NOON + timedelta(microseconds=1),
    "day": day(0),
    "pinned": True,
    "size": 2**62,
}


def changes(*given: Change) -> dict[str, Merged]:
    merged: Merged = {}
    merge(given, merged)
    return {"": merged}


async def apply(store: ReadModelStore, *given: Change) -> None:
    await store.write(Batch(changes=changes(*given)))


async def at(store: ReadModelStore, partition: int = 0, view: str = "board") -> Watermark:
    return (await store.watermarks([view], "alpha", [partition]))[view, partition]


def step(before: Watermark, position: int, *, partition: int = 0, view: str = "board") -> WatermarkMove:
    return WatermarkMove(view, "alpha", partition, before, position, None, NOON)


def parked(position: int, stream: int = 1, *, why: str = "ValueError: no", partition: int = 0) -> Parked:
    return Parked("board", "alpha", partition, position, item(stream), "guildhall.alpha.opened.v1", why, b"{}")


async def places(store: ReadModelStore, view: str | None = None) -> list[int]:
    return [each.position for each in await store.parked(view)]


class ViewStoreConformance:
    async def test_numbers_are_summed(self, store: ReadModelStore) -> None:
        await apply(store, add(ITEM, ROW, votes=2, points=-5), add(ITEM, ROW, votes=1), add(DAILY, TODAY, n=1))
        await apply(store, add(ITEM, ROW, points=1))

        (row,) = await rows_of(store, ITEM)
        assert (row["votes"], row["points"], row["version"], row["title"]) == (3, -4, NEVER, None)
        assert every(await rows_of(store, DAILY), "n") == [1]

    async def test_every_type_of_column_is_kept_as_it_was_put(self, store: ReadModelStore) -> None:
        await apply(store, put(ITEM, ROW, 1, **FULL), put(ITEM, (HERE, item(2)), 1, tags=[], related=(), about=None))

        rows = {row["item"]: row for row in await rows_of(store, ITEM)}
        assert {name: rows[item(1)][name] for name in FULL} == FULL
        assert rows[item(1)]["version"] == 1
        assert (rows[item(2)]["tags"], rows[item(2)]["related"], rows[item(2)]["about"]) == ([], [], None)

    async def test_a_store_that_is_not_as_far_as_was_written_says_so(self, store: ReadModelStore) -> None:
        await store.write(Batch([step(await at(store), 3)]))

        await store.note(["board"], "alpha", {0: 3})
        with pytest.raises(WatermarkConflict):
            await store.note(["board"], "alpha", {0: 4})

    async def test_an_older_put_changes_nothing(self, store: ReadModelStore) -> None:
        await apply(store, put(FIRST, ROW, 5, at=NOON))
        await apply(store, put(FIRST, ROW, 4, at=NOON - timedelta(1)), put(FIRST, (HERE, item(2)), 1, at=NOON))
        await apply(store, put(FIRST, ROW, 5, at=NOON))

        rows = {row["member"]: (row["at"], row["version"]) for row in await rows_of(store, FIRST)}
        assert rows == {item(1): (NOON, 5), item(2): (NOON, 1)}

    async def test_puts_of_some_columns_leave_the_others(self, store: ReadModelStore) -> None:
        await apply(store, put(ITEM, ROW, 1, title="one", size=1), put(ITEM, ROW, 2, title="two"))
        await apply(store, put(ITEM, ROW, 3, pinned=True), put(ITEM, ROW, 4, size=4, title="four"))

        (row,) = await rows_of(store, ITEM)
        assert (row["title"], row["size"], row["pinned"], row["version"]) == ("four", 4, True, 4)

    async def test_puts_in_one_batch_count_by_version_and_not_by_their_order(self, store: ReadModelStore) -> None:
        await apply(
            store, put(ITEM, ROW, 3, title="three"), put(ITEM, ROW, 1, title="one", size=1), put(ITEM, ROW, 2, size=2)
        )

        (row,) = await rows_of(store, ITEM)
        assert (row["title"], row["size"], row["version"]) == ("three", 2, 3)

    async def test_columns_named_in_another_order_are_the_same_columns(self, store: ReadModelStore) -> None:
        await apply(
            store,
            put(ITEM, ROW, 1, title="one", size=1),
            put(ITEM, (HERE, item(2)), 1, size=2, title="two"),
        )

        assert {(r["title"], r["size"]) for r in await rows_of(store, ITEM)} == {("one", 1), ("two", 2)}

    async def test_a_dropped_row_keeps_its_numbers_and_comes_back_with_a_newer_put(self, store: ReadModelStore) -> None:
        await apply(store, put(ITEM, ROW, 1, title="one", size=7), add(ITEM, ROW, votes=3))
        await apply(store, drop(ITEM, ROW, 2))
        await apply(store, put(ITEM, ROW, 1, title="one", size=7))
        (gone,) = await rows_of(store, ITEM)
        await apply(store, put(ITEM, ROW, 3, title="three"))

        (back,) = await rows_of(store, ITEM)
        assert (gone["gone"], gone["votes"], gone["version"]) == (True, 3, 2)
        assert (back["gone"], back["votes"], back["title"], back["size"]) == (False, 3, "three", 7)

    async def test_a_drop_before_any_put_leaves_a_tombstone(self, store: ReadModelStore) -> None:
        await apply(store, drop(WATCHED, (*ROW, "w"), 2))
        await apply(store, put(WATCHED, (*ROW, "w"), 1), put(WATCHED, (*ROW, "v"), 1))

        assert [(row["word"], row["gone"]) for row in await rows_of(store, WATCHED)] == [("v", False), ("w", True)]

    async def test_members_are_in_a_set_once(self, store: ReadModelStore) -> None:
        await apply(store, *(include(DAILY, TODAY, "voters", member(n)) for n in (1, 2, 1)), add(DAILY, TODAY, n=1))
        await apply(
            store,
            *(include(DAILY, TODAY, "voters", member(n)) for n in (2, 3)),
            include(DAILY, TODAY, "visitors", member(3)),
            include(DAILY, (community(1), day(0)), "voters", member(1)),
        )

        rows = {(row["community"], row["n"], row["voters"], row["visitors"]) for row in await rows_of(store, DAILY)}
        assert rows == {
            (HERE, 1, frozenset({member(1), member(2), member(3)}), frozenset({member(3)})),
            (community(1), 0, frozenset({member(1)}), frozenset()),
        }

    async def test_a_watermark_begins_at_nothing_and_moves_with_its_changes(self, store: ReadModelStore) -> None:
        before = await at(store)
        token = await store.write(Batch([step(before, 3)], changes(add(ITEM, ROW, votes=1))))

        assert (before.position, before.offset) == (0, None)
        assert await at(store) == Watermark(3, None, token)
        assert (await at(store, 1)).position == 0

    async def test_who_was_overtaken_writes_nothing(self, store: ReadModelStore) -> None:
        before, other = await at(store), await at(store, 1)
        await store.write(Batch([step(before, 3)]))

        late = Batch([step(other, 1, partition=1), step(before, 4)], changes(add(ITEM, ROW, votes=1)), [parked(4)])
        with pytest.raises(WatermarkConflict):
            await store.write(late)

        assert await at(store, 1) == other
        assert await rows_of(store, ITEM) == []
        assert await places(store) == []

    async def test_who_does_not_know_that_parked_events_were_tended_is_overtaken(self, store: ReadModelStore) -> None:
        before = await at(store)
        token = await store.write(Batch([step(before, 3)], parked=[parked(3)]))
        await store.replay("board", parked(3), "", lambda found: Retried({}, found, []))

        with pytest.raises(WatermarkConflict):
            await store.write(Batch([step(Watermark(3, None, token), 4)]))
        assert (await at(store)).position == 3

    @pytest.mark.parametrize(
        "wrong",
        [
            put(ITEM, ROW, 1, title="a\x00b"),
            put(ITEM, ROW, 1, size=2**63),
            put(ITEM, ROW, 1, colour="red"),
            put(ITEM, (HERE, None), 1, title="x"),
            put(ITEM, (HERE,), 1, title="x"),
            add(ITEM, ROW, votes=2**63),
            add(ITEM, ROW, title=1),
            include(ITEM, ROW, "title", member(1)),
        ],
        ids=["nul", "too large", "no such column", "no key", "short key", "overflow", "no number", "no set"],
    )
    async def test_what_no_column_can_hold_is_refused_and_the_batch_with_it(
        self, store: ReadModelStore, wrong: Change
    ) -> None:
        before = await at(store)

        with pytest.raises(Unwritable):
            await store.write(Batch([step(before, 1)], changes(add(DAILY, TODAY, n=1), wrong)))
        assert await at(store) == before
        assert await rows_of(store, DAILY) == []
        assert await rows_of(store, ITEM) == []

    async def test_parked_events_are_found_by_view_stream_and_position(self, store: ReadModelStore) -> None:
        before = await at(store)
        await store.write(Batch([step(before, 9)], parked=[parked(2, 1), parked(5, 2), parked(3, 1)]))
        await store.write(Batch(parked=[replace(parked(2, 1), reason="again"), replace(parked(1), view="other")]))

        assert await places(store) == [2, 3, 5, 1]
        assert await places(store, "board") == [2, 3, 5]
        assert [p.position for p in await store.parked(stream=item(2))] == [5]
        assert [p.position for p in await store.parked("board", position=("alpha", 0, 3))] == [3]
        assert len(await store.parked(limit=2)) == 2
        assert await store.parked_streams(["board", "none"]) == {"board": {item(1), item(2)}, "none": set()}
        assert await store.parked_counts(["board", "none"]) == {"board": 3, "none": 0}
        first = (await store.parked("board"))[0]
        assert first.parked_at is not None
        assert replace(first, parked_at=None) == parked(2, 1)

    async def test_a_replay_gets_the_whole_stream_in_order_and_does_as_it_is_told(self, store: ReadModelStore) -> None:
        before = await at(store)
        await store.write(Batch([step(before, 9)], parked=[parked(7), parked(2), parked(3, 2), parked(4)]))
        seen: list[int] = []

        def retry(found: Iterable[Parked]) -> Retried:
            events = list(found)
            seen.extend(each.position for each in events)
            return Retried(
                changes(add(DAILY, TODAY, n=5))[""], events[:1], [replace(e, reason="later") for e in events[1:]]
            )

        await store.replay("board", parked(4), "", retry)

        assert seen == [2, 4, 7]
        assert [(p.position, p.reason) for p in await store.parked("board")] == [
            (3, "ValueError: no"),
            (4, "later"),
            (7, "later"),
        ]
        assert every(await rows_of(store, DAILY), "n") == [5]

    async def test_a_replay_that_is_refused_changes_nothing(self, store: ReadModelStore) -> None:
        before = await at(store)
        await store.write(Batch([step(before, 9)], parked=[parked(2)]))

        wrong = changes(add(DAILY, TODAY, n=1), put(ITEM, ROW, 1, title="\x00"))[""]
        with pytest.raises(Unwritable):
            await store.replay("board", parked(2), "", lambda found: Retried(wrong, found, []))
        assert await places(store) == [2]
        assert await rows_of(store, DAILY) == []

    async def test_only_a_note_can_be_dismissed(self, store: ReadModelStore) -> None:
        before = await at(store)
        note = Parked("board", "alpha", 0, note_position(17), None, None, "not an envelope", b"\xff")
        await store.write(Batch([step(before, 9)], parked=[note, parked(2)]))

        assert [await store.dismiss(each) for each in (note, note, parked(2))] == [True, False, False]
        assert await places(store) == [2]
