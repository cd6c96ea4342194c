"""Folds what a log holds in an order of a die's: partitions in any order, batches cut anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from shared.event import Recorded
from shared.log.port import Log
from shared.views.merge import Merged, merge
from shared.views.store import Batch
from shared.views.store_memory import MemoryViewStore
from shared.views.view import View


async def rows(log: Log, views: Sequence[View], die: Random, limit: int) -> Mapping[str, Any]:
    """The rows of all tables of those views, after all events of the log."""
    waiting = [list(await log.follow(partition, 0, 10_000)) for partition in range(log.partitions)]
    store = MemoryViewStore()
    while any(waiting):
        batch: list[Recorded] = []
        for _ in range(die.randint(1, limit)):
            if left := [records for records in waiting if records]:
                batch.append(die.choice(left).pop(0))
        await store.write(Batch(changes={"": _changes(views, batch)}))
    return {table.name: await store.rows(table) for view in views for table in view.tables}


def _changes(views: Sequence[View], batch: Sequence[Recorded]) -> Merged:
    merged: Merged = {}
    for record in batch:
        for view in views:
            if record.type in view.catalogue:
                merge(view.fold(view.catalogue.decode(record.type, record.data), record), merged)
    return merged
