"""Which views are read together: those that are about as far; one that is far behind catches up on its own first.

Views that are read together share one pass over their sources. A new view, or one that was made anew, would hold the
others up while it starts from the beginning, so it has a reader of its own until it is close behind them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from shared.cancellation import attempt, end
from shared.projections.movement import Movement
from shared.projections.read_model import ReadModel
from shared.projections.runner import ProjectionRunner
from shared.projections.store import ReadModelStore
from shared.subscription.source import Mark, Marks, Source

CLOSE = 5_000
"""Events behind the others, at most, at which a view is read with them: they wait for it once."""
LOOK = 2.0
"""Seconds between two looks at how far those who catch up have come."""

MakeSource = Callable[[str, str, Marks], Source]
"""A source of a service for the group of readers of that name; it may ask where to read on."""

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Group:
    """Views that are read together; `name` is the same in every process that reads them."""

    name: str
    views: tuple[ReadModel, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(sorted({source for view in self.views for source in view.sources}))


async def plan_groups(views: Sequence[ReadModel], store: ReadModelStore, partitions: int) -> list[Group]:
    """The views in groups: first those that are as far as any, then each that is far behind by itself."""
    furthest: dict[tuple[str, int], int] = {}
    stands: dict[ReadModel, dict[tuple[str, int], int]] = {view: {} for view in views}
    for source in sorted({source for view in views for source in view.sources}):
        readers = [view for view in views if source in view.sources]
        marks = await store.watermarks([view.name for view in readers], source, range(partitions))
        for view in readers:
            for partition in range(partitions):
                position = marks[view.name, partition].position
                stands[view][source, partition] = position
                furthest[source, partition] = max(position, furthest.get((source, partition), 0))
    together: list[ReadModel] = []
    alone: list[ReadModel] = []
    for view, places in stands.items():
        behind = sum(furthest[place] - position for place, position in places.items())
        (together if behind <= CLOSE else alone).append(view)
    groups = [Group("views", tuple(together))] if together else []
    return groups + [Group(view.name, (view,)) for view in alone]


@dataclass
class ProjectionRunners:
    """All readers of a process, planned anew when a view has caught up. `run` until cancelled.

    `stalled` are the readers' positions that cannot be found, by source and partition.
    """

    views: Sequence[ReadModel]
    make: MakeSource
    store: ReadModelStore
    partitions: int
    movement: Movement = field(default_factory=Movement)
    limit: int = 2_000
    """The most events in one transaction."""
    running: dict[str, ProjectionRunner] = field(default_factory=dict)

    @property
    def stalled(self) -> dict[tuple[str, int], int]:
        return {place: position for reader in self.running.values() for place, position in reader.stalled.items()}

    async def run(self) -> None:
        while self.views:
            groups = await plan_groups(self.views, self.store, self.partitions)
            _logger.info("reading", groups={group.name: [view.name for view in group.views] for group in groups})
            self.running = {group.name: self._reader(group) for group in groups}
            tasks = [asyncio.create_task(reader.run(), name=f"read-{name}") for name, reader in self.running.items()]
            try:
                await self._until_one_has_caught_up(groups, tasks)
            finally:
                await end(*tasks)
                self.running = {}

    def _reader(self, group: Group) -> ProjectionRunner:
        made: list[ProjectionRunner] = []

        def marks(source: str) -> Marks:
            async def of(partitions: Sequence[int]) -> Mapping[int, Mark]:
                return await made[0].marks(source, partitions)

            return of

        sources = [self.make(group.name, source, marks(source)) for source in group.sources]
        made.append(ProjectionRunner(group.views, sources, self.store, limit=self.limit, movement=self.movement))
        return made[0]

    async def _until_one_has_caught_up(self, groups: Sequence[Group], tasks: Sequence[asyncio.Task[None]]) -> None:
        while True:
            done, _ = await asyncio.wait(tasks, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
                return
            if len(groups) > 1:
                try:
                    with attempt():
                        plan = await plan_groups(self.views, self.store, self.partitions)
                except Exception as error:  # the readers go on whatever the store says to this
                    _logger.info("no new plan", problem=type(error).__name__)
                    continue
                if len(plan) < len(groups):
                    return
