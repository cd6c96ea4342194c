"""The lists come to the same rows in whatever order and batches events arrive, and to what the states say."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.content.app import SERVICE
from services.content.comments.domain import Comment
from services.content.read_models.channel_list import channel_list
from services.content.read_models.discussion import comment_list, reply_list
from services.content.read_models.tag_list import tag_list
from services.content.read_models.thread_list import thread_activity, thread_list, thread_tag
from services.content.replies.domain import Reply
from services.content.threads.domain import Thread
from shared.events.event import Recorded
from shared.projections.merge import Merged, merge
from shared.projections.read_model_table import NEVER
from shared.projections.store import Batch
from tests.content.life import Life
from tests.content.records import COMMUNITY
from tests.content.samples import GARDENING
from tests.doubles.view_store import MemoryReadModelStore

TABLES = [table for view in SERVICE.own_read_models for table in view.tables]
Rows = dict[str, dict[Any, dict[str, Any]]]


def rows_after(records: Sequence[Recorded], die: Random) -> Rows:
    """The rows of all lists after those records, folded in batches of the die's."""

    async def folded() -> Rows:
        store, left = MemoryReadModelStore(), list(records)
        while left:
            size = die.randint(1, len(left))
            batch, left = left[:size], left[size:]
            merged: Merged = {}
            for record in batch:
                for view in SERVICE.own_read_models:
                    if record.type in view.catalogue:
                        merge(view.fold(view.catalogue.decode(record.type, record.data), record), merged)
            await store.write(Batch(changes={"": merged}))
        return {table.name: store.tables.get(table.name, {}) for table in TABLES}

    return asyncio.run(folded())


def interleaved(records: Sequence[Recorded], die: Random) -> list[Recorded]:
    """Another order in which they may arrive: each stream keeps its own."""
    streams: dict[UUID, list[Recorded]] = {}
    for record in records:
        streams.setdefault(record.stream, []).append(record)
    turns = [stream for stream, its in streams.items() for _ in its]
    return [streams[stream].pop(0) for stream in die.sample(turns, len(turns))]


def present_rows(rows: Rows, table: str) -> dict[UUID, dict[str, Any]]:
    """The rows that a reader sees, by their last key."""
    return {key[-1]: row for key, row in rows[table].items() if not row["gone"] and row["version"] > NEVER}


@given(st.integers(0, 30), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_lists_do_not_depend_on_the_order_of_arrival(seed: int, die: Random) -> None:
    records = Life(Random(seed)).goes_on(40).records
    assert rows_after(interleaved(records, die), die) == rows_after(records, Random(0))


@given(st.integers(0, 1000))
@example(161)  # a thread is deleted, and then the reply that it had accepted
@settings(max_examples=25, deadline=None)
def test_lists_say_what_the_states_say(seed: int) -> None:
    life = Life(Random(seed)).goes_on(60)
    rows = rows_after(life.records, Random(seed))
    threads: dict[UUID, Thread] = life.existing(Thread)
    replies: dict[UUID, Reply] = life.existing(Reply)
    comments: dict[UUID, Comment] = life.existing(Comment)

    listed = present_rows(rows, thread_list.name)
    assert listed.keys() == threads.keys()
    on = Counter(c.target_id for c in comments.values())
    for thread, state in threads.items():
        row = listed[thread]
        assert (row["tags"], row["text_ref"]) == (list(state.tags), state.text.ref if state.text else None)
        assert row.get("accepted_reply") == (state.accepted.reply_id if state.accepted else None)
        assert row.get("replies", 0) == sum(r.thread_id == thread for r in replies.values())
        assert row.get("comments", 0) == on[thread]
        assert rows[thread_activity.name][(COMMUNITY, thread)]["at"] == life.spoken[thread]
    assert present_rows(rows, reply_list.name).keys() == replies.keys()
    for reply, row in present_rows(rows, reply_list.name).items():
        assert row.get("comments", 0) == on[reply]
    assert present_rows(rows, comment_list.name).keys() == comments.keys()

    tags = Counter(tag for state in threads.values() for tag in state.tags)
    assert {key[1]: row["threads"] for key, row in rows[tag_list.name].items() if row["threads"]} == dict(tags)
    under = Counter(key[1] for key, row in rows[thread_tag.name].items() if not row["gone"])
    assert under == tags
    assert rows[channel_list.name][(COMMUNITY, GARDENING)].get("threads", 0) == len(threads)
