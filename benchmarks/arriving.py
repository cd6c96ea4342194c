"""Facts that arrive while a made-up community is read: folded as the worker would, and taken out again afterwards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg

from benchmarks.synthetic import Size, last_day
from services.projection.app import SERVICE
from services.projection.days import SLOTS_A_DAY, number_of
from services.projection.subscriptions import ReplyPosted
from shared.db import create_engine
from shared.events.event import Recorded, wire_name
from shared.events.identity import derived_id
from shared.projections.merge import Merged, merge
from shared.projections.store import Batch
from shared.projections.store_postgres import PostgresReadModelStore
from shared.settings import Settings

RATE = 10
"""Replies a second, each written by itself."""


@asynccontextmanager
async def arriving(settings: Settings, size: Size) -> AsyncIterator[None]:
    """Replies between members of the first community, now."""
    engine = create_engine(settings, "benchmark")
    store = PostgresReadModelStore(engine)
    rng, members = random.Random(2), size.members // size.communities

    async def arrive() -> None:
        while True:
            author, other = (derived_id("member", f"0/{rng.randrange(members)}") for _ in range(2))
            await store.write(Batch(changes={"": _folded(ReplyPosted(uuid4(), uuid4(), other, author))}))
            await asyncio.sleep(1 / RATE)

    task = asyncio.create_task(arrive())
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])
        await store.close()
        await engine.dispose()
        await forget(settings)


def _folded(event: ReplyPosted) -> Merged:
    now, community = datetime.now(UTC), derived_id("community", "synthetic-0")
    record = Recorded(
        "content", 0, 1, uuid4(), 1, wire_name(ReplyPosted), UUID(int=1), community, None, now, now, None, b"{}"
    )
    changes: Merged = {}
    for view in SERVICE.topic_read_models:
        if record.type in view.catalogue:
            merge(view.fold(event, record), changes)
    return changes


async def forget(settings: Settings) -> None:
    """Take out what arrived after the last day of what was made."""
    day = number_of(last_day()) + 1
    db = await asyncpg.connect(settings.database_url)
    try:
        for table in ("response", "action_count", "active_members"):
            await db.execute(f"delete from {table} where slot >= $1", day * SLOTS_A_DAY)
        await db.execute("truncate post_parent")
        for table in ("response_change", "action_change"):
            await db.execute(f"delete from {table} where day >= $1", day)
    finally:
        await db.close()
