"""Moves views along a source: read, fold, write in one transaction, and after any failure go back to the marks.

What fails is tried again for ever, with growing pauses, logged when it begins and when it ends; the store is the only
memory of how far a view is.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from shared.cancellation import attempt
from shared.polling import BackOff
from shared.projections.batches import BatchBuilder
from shared.projections.heartbeat import Heartbeat
from shared.projections.reports import ReaderReports
from shared.projections.rereading import Rereading
from shared.projections.store import ReadModelStore, Unwritable
from shared.projections.unwritable import narrow_down
from shared.subscription.source import Mark, Message, Source
from shared.telemetry.tracing import carried

if TYPE_CHECKING:
    from shared.projections.movement import Movement

IDLE = 0.2
"""Seconds a source is waited for."""
TEND = 5.0
"""Seconds between two looks at how much is parked."""
PAUSES = (0.05, 5.0)
"""Seconds between tries to write, the first and the longest."""
Limits = Callable[[str], Awaitable[Mapping[int, int]]]
"""By partition of a source, the position that must not be passed."""


class Feed:
    """Moves a reader's views along one of its sources, until it is cancelled.

    `folder` folds. `stalled` belongs to the reader (`runner.py`) and is written to here. `load` asks the store how far
    the views are.
    """

    def __init__(
        self,
        folder: BatchBuilder,
        source: Source,
        store: ReadModelStore,
        limit: int,
        movement: Movement | None,
        limits: Limits | None,
        stalled: dict[tuple[str, int], int],
    ) -> None:
        self._folder = folder
        self._source = source
        self._store = store
        self._limit = limit
        self._movement = movement
        self._limits = limits
        self._rereading = Rereading(folder, source, self.load, stalled)
        self._reports = ReaderReports(folder.source)
        self._heartbeat = Heartbeat(folder, store)
        self._back_off = BackOff(*PAUSES)
        self._tended = 0.0

    async def run(self) -> None:
        started = False
        try:
            while True:
                try:
                    with attempt():  # no `CancelledError` gets lost, and none that is not ours ends this
                        if not started:
                            await self._source.start(await self.load(range(self._source.partitions)))
                            started = True
                        await self._rereading.go_back()
                        await self._turn()
                except Exception as error:  # whatever fails, a view that stops for good would be worse
                    await self._failed(error)
        finally:
            with suppress(Exception):
                await self._source.close()

    async def load(self, partitions: Iterable[int]) -> Mapping[int, Mark]:
        """Take these partitions as the store has them, in place of what is believed; the marks to read on from."""
        folder = self._folder
        wanted = list(partitions)
        watermarks = await self._store.watermarks(folder.names, folder.source, wanted)
        parked = await self._store.parked_streams(folder.names)
        folder.load(watermarks)
        folder.parked = {name: set(streams) for name, streams in parked.items()}
        return {partition: folder.states[partition].mark for partition in wanted}

    async def _turn(self) -> None:
        messages = await self._source.read(self._limit, IDLE)
        if messages:
            partitions = {message.partition for message in messages}
            self._rereading.touched(partitions)
            if partitions - self._folder.states.keys():
                await self.load(partitions)
            limits = None if self._limits is None else await self._limits(self._folder.source)
            await self._commit(messages, limits)
            self._rereading.written()
        await self._tend()
        self._reports.goes_on()
        self._back_off.begin_anew()

    async def _commit(
        self,
        messages: Sequence[Message],
        limits: Mapping[int, int] | None,
        only: Collection[str] | None = None,
        refused: str | None = None,
    ) -> None:
        """Write what these messages come to. What the store refuses is narrowed down to the event, and parked."""
        folder, began = self._folder, time.time_ns()
        try:
            folded = folder.fold(messages, only=only, refused=refused, limits=limits)
            batch = folded.batch
            token = await self._store.write(batch) if batch.moves or batch.parked else None
        except Unwritable as error:
            if refused is not None:
                raise
            await narrow_down(self._commit, folder.names, messages, limits, only, error)
            return
        folder.written(folded, token)
        if folded.traced:
            carried("project", folded.traced, began, **{"guildhall.views": ",".join(only or folder.names)})
        self._reports.folded(folded)
        if self._movement is not None and batch.moves:
            self._movement.moved()
        await self._rereading.after(folded)

    async def _failed(self, error: Exception) -> None:
        """Say so, and wait; then the marks are loaded and everything touched is read again."""
        self._rereading.failed(error)
        self._reports.failed(error)
        await asyncio.sleep(self._back_off.next() * random.uniform(0.5, 1))  # noqa: S311 - spreads tries, hides nothing

    async def _tend(self) -> None:
        """Every now and then: search what is missing, note how far the views are, count what is parked."""
        now = time.monotonic()
        await self._rereading.tend()
        await self._heartbeat.beat()
        if now - self._tended >= TEND:
            self._tended = now
            self._reports.parked(await self._store.parked_counts(self._folder.names))
