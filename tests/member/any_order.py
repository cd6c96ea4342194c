"""Folds what a log holds in an order of a die's: partitions in any order, batches cut anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from shared.events.event import Recorded
from shared.log.port import Log
from shared.projections.merge import Merged, merge
from shared.projections.read_model import ReadModel
from shared.projections.store import Batch
from tests.doubles.rows import rows_of
from tests.doubles.view_store import MemoryReadModelStore


async def rows(log: Log, views: Sequence[ReadModel], die: Random, limit: int) -> Mapping[str, Any]:
    """The rows of all tables of those views, after all events of the log."""
    waiting = [list(await log.follow(partition, 0, 10_000)) for partition in range(log.partitions)]
    store = MemoryReadModelStore()
    while any(waiting):
        batch: list[Recorded] = []
        for _ in range(die.randint(1, limit)):
            if left := [records for records in waiting if records]:
                batch.append(die.choice(left).pop(0))
        await store.write(Batch(changes={"": _changes(views, batch)}))
    return {table.name: await rows_of(store, table) for view in views for table in view.tables}


def _changes(views: Sequence[ReadModel], batch: Sequence[Recorded]) -> Merged:
    merged: Merged = {}
    for record in batch:
        for view in views:
            if record.type in view.catalogue:
                merge(view.fold(view.catalogue.decode(record.type, record.data), record), merged)
    return merged
