"""Requests that wait for views share one look at the watermarks, however many they are, and a caller has only a few.

So what waiting costs does not grow with those who wait, and nobody can keep a process busy by asking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import driver
from shared.events.errors import Behind
from shared.events.positions import Positions
from shared.projections.movement import Movement
from shared.projections.read_model import ReadModel
from shared.projections.waiters import Waiters

SOON, LATE = 0.005, 0.05
"""Seconds between two looks: the first after somebody came, and the longest."""
OF_ALL = 2_000

STANDS = """
select w.view, w.source, w.partition, w.position
from watermark w join unnest($1::text[], $2::text[], $3::smallint[]) as u(view, source, partition)
using (view, source, partition)
"""

WaitedFor = tuple[str, str, int]
"""A view, a source that it reads, and a partition of that."""


@dataclass(eq=False, slots=True)
class _Waiter:
    """What a request waits for."""

    wanted: dict[WaitedFor, int]
    there: asyncio.Future[None]

    def look(self, stands: dict[WaitedFor, int]) -> None:
        there = all(stands.get(place, 0) >= position for place, position in self.wanted.items())
        if there and not self.there.done():
            self.there.set_result(None)


class Waiting:
    """One per process. Without `movement` nobody here moves the views, and the database alone tells."""

    def __init__(self, engine: AsyncEngine, movement: Movement | None = None) -> None:
        self._engine = engine
        self._movement = movement
        self._waiters: set[_Waiter] = set()
        self._bound = Waiters("`Guildhall-After`", of_all=OF_ALL)
        self._came = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def until(
        self, views: Sequence[ReadModel], positions: Positions, timeout: float, *, caller: Hashable = None
    ) -> None:
        """Until all of these views have folded these positions; a source that a view does not read holds nothing up.

        Raises `Behind` after `timeout` seconds, and what `Waiters` raises where one more may not wait.
        """
        wanted = {
            (view.name, source, partition): position
            for view in views
            for (source, partition), position in positions.items()
            if source in view.sources
        }
        if not wanted:
            return
        with self._bound.one_of(caller):
            waiter = _Waiter(wanted, asyncio.get_running_loop().create_future())
            self._waiters.add(waiter)
            self._came.set()
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look(), name="view-waiting")
            try:
                async with asyncio.timeout(max(timeout, SOON)):
                    await waiter.there
            except TimeoutError:
                raise Behind("The view is not as far yet. Ask again, or wait longer.", retry_after=1) from None
            finally:
                self._waiters.discard(waiter)

    async def _look(self) -> None:
        """Look for all, again and again, while there is anybody."""
        pause = SOON
        while self._waiters:
            if self._came.is_set():
                self._came.clear()
                pause = SOON
            waiters = list(self._waiters)
            try:
                stands = await self._stands({place for waiter in waiters for place in waiter.wanted})
            except Exception as error:  # whatever the database says is what each of them is told
                for waiter in waiters:
                    if not waiter.there.done():
                        waiter.there.set_exception(error)
                await asyncio.sleep(SOON)
                continue
            for waiter in waiters:
                waiter.look(stands)
            await self._pause(pause)
            pause = min(pause * 1.5, LATE)

    async def _stands(self, places: set[WaitedFor]) -> dict[WaitedFor, int]:
        async with driver(self._engine) as connection:
            rows = await connection.fetch(STANDS, *zip(*places, strict=True))
        return {(row["view"], row["source"], row["partition"]): row["position"] for row in rows}

    async def _pause(self, seconds: float) -> None:
        """At most so long, until somebody comes or a view moves."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._came.wait())]
        if self._movement is not None:
            waits.append(asyncio.create_task(self._movement.wait(seconds)))
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
