"""Where a source is read again: from the marks after a failure, at a gap, and at what was not to be passed yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from shared.projections.batches import BatchBuilder, Folded
from shared.projections.gaps import Gaps
from shared.projections.store import WatermarkConflict
from shared.subscription.source import Mark, Source

BEYOND = 0.02
"""Seconds before records are read again that were not to be passed yet."""

Load = Callable[[Iterable[int]], Awaitable[Mapping[int, Mark]]]
"""Loads partitions as the store has them; their marks."""


class Rereading:
    """Of one source. `stalled` is told which positions cannot be found, by source and partition."""

    def __init__(self, folder: BatchBuilder, source: Source, load: Load, stalled: dict[tuple[str, int], int]) -> None:
        self._folder = folder
        self._source = source
        self._load = load
        self._gaps = Gaps(folder.source, stalled)
        self._again: set[int] = set()
        """Partitions to go back to their marks in: they were touched by what has failed."""

    def touched(self, partitions: Iterable[int]) -> None:
        """Messages of these are being folded."""
        self._again = set(partitions)

    def written(self) -> None:
        """They were written."""
        self._again.clear()

    def failed(self, error: Exception) -> None:
        """Whoever was overtaken does not know how far any partition is."""
        self._again |= self._folder.states.keys() if isinstance(error, WatermarkConflict) else set()

    async def go_back(self) -> None:
        """Load the marks of what was touched by a failure, and read on from them."""
        if self._again:
            marks = await self._load(self._again)
            for partition, mark in marks.items():
                await self._source.seek(partition, mark)
            self._again.clear()

    async def after(self, folded: Folded) -> None:
        """What a batch did not take is read again."""
        for partition, missing in folded.gaps.items():
            if self._gaps.found(partition, missing):
                await self._from_the_mark(partition)
        if folded.beyond:
            await asyncio.sleep(BEYOND)
            for partition in folded.beyond:
                await self._seek(partition, self._folder.states[partition].mark)

    async def tend(self) -> None:
        """Search what is missing, every now and then."""
        if self._gaps:
            for partition in self._gaps.tend(lambda partition: self._folder.states[partition].reached):
                await self._from_the_mark(partition)

    async def _seek(self, partition: int, mark: Mark) -> None:
        state = self._folder.states[partition]
        state.missing, state.aside = None, []
        await self._source.seek(partition, mark)

    async def _from_the_mark(self, partition: int) -> None:
        await self._seek(partition, (await self._load([partition]))[partition])
