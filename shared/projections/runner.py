"""Moves views along their sources, each of which is followed by a task of its own: one that is away stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.projections.batches import BatchBuilder
from shared.projections.feed import Feed, Limits
from shared.projections.read_model import ReadModel
from shared.projections.store import ReadModelStore
from shared.subscription.source import Mark, Source

if TYPE_CHECKING:
    from shared.projections.movement import Movement


class ProjectionRunner:
    """Moves views along their sources until it is cancelled. `sources` cover everything the views subscribe to.

    `stalled` holds, by source and partition, positions that cannot be found. `limit` is the most events in one
    transaction.
    """

    def __init__(
        self,
        views: Sequence[ReadModel],
        sources: Sequence[Source],
        store: ReadModelStore,
        *,
        limit: int = 2_000,
        movement: Movement | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.views = tuple(views)
        self.stalled: dict[tuple[str, int], int] = {}
        self._feeds = {
            source.service: Feed(
                BatchBuilder(views, source.service),
                source,
                store,
                limit,
                movement,
                limits,
                self.stalled,
            )
            for source in sources
        }
        missing = {source for view in views for source in view.sources} - self._feeds.keys()
        if missing:
            raise ValueError(f"no source for {sorted(missing)}")

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name, feed in self._feeds.items():
                group.create_task(feed.run(), name=f"read-{name}")

    async def marks(self, source: str, partitions: Sequence[int]) -> Mapping[int, Mark]:
        """Where to read on, fresh from the store: what a source that shares its partitions asks for (`Marks`)."""
        return await self._feeds[source].load(partitions)
