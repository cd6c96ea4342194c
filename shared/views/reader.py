"""Moves views along their sources: read, fold, write in one transaction, and after any failure go back to the marks.

Each source is followed by a task of its own, so one that is away stops no other. What fails is tried again for ever,
with growing pauses, logged when it begins and when it ends; the store is the only memory of how far a view is.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter, Gauge

from shared.stream.source import BEGINNING, Mark, Message, Source
from shared.tasks import attempt
from shared.tracing import carried
from shared.views.folding import Folded, Folder
from shared.views.gaps import Gaps
from shared.views.heads import Heads
from shared.views.store import Overtaken, Refused, ViewStore
from shared.views.view import View

if TYPE_CHECKING:
    from shared.views.progress import Progress

FOLDED = Counter("guildhall_view_events", "Events folded or passed by, once per reader.", ["source"])
REPEATS = Counter("guildhall_view_repeats", "Records skipped because their position was read before.", ["source"])
UNKNOWN = Counter(
    "guildhall_view_unknown", "Events passed by because no view here reads their type.", ["source", "type"]
)
PARKED = Gauge("guildhall_parked_events", "Events set aside until somebody replays them.", ["view"])
FAILING = Gauge("guildhall_view_failing", "1 while batches of a source cannot be written.", ["source"])

IDLE = 0.2
"""Seconds a source is waited for; then it is asked whether that was all."""
HEARTBEAT = 1.0
"""Seconds between two notes in the database that the views hold all there is."""
TEND = 5.0
"""Seconds between two looks at how much is parked."""
PAUSES = (0.05, 5.0)
"""Seconds between tries to write, the first and the longest."""
BEYOND = 0.02
"""Seconds before records are read again that were not to be passed yet."""
Limits = Callable[[str], Awaitable[Mapping[int, int]]]
"""By partition of a source, the position that must not be passed."""

_logger = structlog.get_logger(__name__)


class Reader:
    """Moves views along their sources until it is cancelled. `sources` cover everything the views subscribe to.

    `caught_up_at` is, by source, the latest monotonic time of which it is known that everything then there has been
    folded. `stalled` holds, by source and partition, positions that cannot be found. `limit` is the most events in
    one transaction.
    """

    def __init__(
        self,
        views: Sequence[View],
        sources: Sequence[Source],
        store: ViewStore,
        *,
        limit: int = 2_000,
        progress: Progress | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.views = tuple(views)
        self.caught_up_at: dict[str, float] = {}
        self.stalled: dict[tuple[str, int], int] = {}
        self._feeds = {
            source.service: _Feed(self, Folder(views, source.service), source, store, limit, progress, limits)
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


class _Feed:
    """One source's part of a reader."""

    def __init__(
        self,
        reader: Reader,
        folder: Folder,
        source: Source,
        store: ViewStore,
        limit: int,
        progress: Progress | None,
        limits: Limits | None,
    ) -> None:
        self._reader = reader
        self._folder = folder
        self._source = source
        self._store = store
        self._limit = limit
        self._progress = progress
        self._limits = limits
        self._gaps = Gaps(folder.source, reader.stalled)
        self._heads = Heads(source)
        self._again: set[int] = set()
        """Partitions to go back to their marks in: they were touched by what has failed."""
        self._problem: str | None = None
        self._pause = PAUSES[0]
        self._beaten = self._tended = 0.0

    async def run(self) -> None:
        started = False
        try:
            while True:
                try:
                    with attempt():
                        if not started:
                            await self._source.start(await self.load(range(self._source.partitions)))
                            started = True
                        await self._go_back()
                        await self._turn()
                except Exception as error:  # whatever fails, a view that stops for good would be worse
                    await self._failed(error)
        finally:
            await self._heads.close()
            with suppress(Exception):
                await self._source.close()

    async def load(self, partitions: Iterable[int]) -> Mapping[int, Mark]:
        folder = self._folder
        wanted = list(partitions)
        watermarks = await self._store.watermarks(folder.names, folder.source, wanted)
        parked = await self._store.parked_streams(folder.names)
        folder.load(watermarks)
        folder.parked = {name: set(streams) for name, streams in parked.items()}
        return {partition: folder.tracks[partition].mark for partition in wanted}

    async def _turn(self) -> None:
        messages = await self._source.read(self._limit, IDLE)
        if messages:
            self._again = {message.partition for message in messages}
            if self._again - self._folder.tracks.keys():
                await self.load(self._again)
            limits = None if self._limits is None else await self._limits(self._folder.source)
            await self._commit(messages, limits)
            self._again.clear()
        await self._tend(idle=not messages)
        if self._problem is not None:
            _logger.info("view is written again", source=self._folder.source, after=self._problem)
            self._problem = None
            FAILING.labels(self._folder.source).set(0)
        self._pause = PAUSES[0]

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
        except Refused as error:
            if refused is not None:
                raise
            half = len(messages) // 2
            if half:
                await self._commit(messages[:half], limits)
                await self._commit(messages[half:], limits)
            elif only is None and len(folder.names) > 1:
                for name in folder.names:
                    await self._commit(messages, limits, [name])
            else:
                await self._commit(messages, limits, only, str(error))
            return
        folder.written(folded, token)
        if folded.traced:
            carried("project", folded.traced, began, **{"guildhall.views": ",".join(only or folder.names)})
        self._tell(folded)
        for partition, missing in folded.gaps.items():
            await self._search(partition, missing)
        if folded.beyond:
            await asyncio.sleep(BEYOND)
            for partition in folded.beyond:
                await self._seek(partition, folder.tracks[partition].mark)

    def _tell(self, folded: Folded) -> None:
        source = self._folder.source
        FOLDED.labels(source).inc(folded.events)
        if folded.repeats:
            REPEATS.labels(source).inc(folded.repeats)
        for name, count in folded.unknown.items():
            UNKNOWN.labels(source, name).inc(count)
        for parked in folded.batch.parked:
            PARKED.labels(parked.view).inc()
            _logger.error(
                "event is parked",
                view=parked.view,
                source=source,
                partition=parked.partition,
                position=parked.position,
                type=parked.type,
                reason=parked.reason,
            )
        if self._progress is not None and folded.batch.moves:
            self._progress.moved()

    # After failures

    async def _failed(self, error: Exception) -> None:
        """Say so once, and wait; then the marks are loaded and everything touched is read again."""
        problem = type(error).__name__
        self._again |= self._folder.tracks.keys() if isinstance(error, Overtaken) else set()
        if problem != self._problem:
            if isinstance(error, Overtaken):
                _logger.info("watermark was moved by another", source=self._folder.source)
            else:
                self._problem = problem
                FAILING.labels(self._folder.source).set(1)
                _logger.warning("view cannot be written", source=self._folder.source, problem=problem, exc_info=error)
        await asyncio.sleep(self._pause * random.uniform(0.5, 1))  # noqa: S311 - spreads tries, hides nothing
        self._pause = min(self._pause * 2, PAUSES[1])

    async def _go_back(self) -> None:
        if self._again:
            marks = await self.load(self._again)
            for partition, mark in marks.items():
                await self._source.seek(partition, mark)
            self._again.clear()

    async def _seek(self, partition: int, mark: Mark) -> None:
        track = self._folder.tracks[partition]
        track.missing, track.aside = None, []
        await self._source.seek(partition, mark)

    async def _search(self, partition: int, missing: int) -> None:
        where = self._gaps.found(partition, missing)
        if where == "mark":
            await self._seek(partition, (await self.load([partition]))[partition])
        elif where == "beginning":
            await self._seek(partition, BEGINNING)

    # Every now and then

    async def _tend(self, *, idle: bool) -> None:
        now = time.monotonic()
        if self._gaps:
            for partition in self._gaps.tend(lambda partition: self._folder.tracks[partition].reached):
                await self._seek(partition, BEGINNING)
        heads = await self._heads.look(ask=idle or now - self._beaten >= HEARTBEAT, wait=idle)
        if heads is not None:
            await self._note(*heads)
        if now - self._tended >= TEND:
            self._tended = now
            for view, count in (await self._store.parked_counts(self._folder.names)).items():
                PARKED.labels(view).set(count)

    async def _note(self, asked: float, heads: Mapping[int, int]) -> None:
        """Note, here and in the database, which partitions have been folded to what was their end at that time."""
        tracks = self._folder.tracks
        ends = {}
        for partition, head in heads.items():
            track = tracks.get(partition)
            if track is not None and (track.reached >= head if track.offset is None else track.offset + 1 >= head):
                ends[partition] = track.reached
        if asked - self._beaten >= HEARTBEAT:
            self._beaten = asked
            await self._store.caught_up(self._folder.names, self._folder.source, ends, asked)
        if heads and len(ends) == len(heads):
            self._reader.caught_up_at[self._folder.source] = asked
            if self._progress is not None:
                self._progress.moved()
