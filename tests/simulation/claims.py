"""What heads and answers say: up to when they are complete, and how many events are missing. None claims too much."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.db import FAILED
from shared.kafka.heads import HeadsWire
from shared.projections.freshness import Freshness, Watch
from tests.simulation.broker import Broker, Record
from tests.simulation.domain import BOOKS, COUNT, PARTITIONS, SERVICE
from tests.simulation.oracle import Violation
from tests.simulation.postgres import Database, Transaction

if TYPE_CHECKING:
    from tests.simulation.world import World

LATE = 2.0
"""Seconds after which an event that is missing is counted, or nobody says how many are."""
UNDER_WAY = 10.0
"""Seconds a message is under way at most: until then what was said before the clock was set may come."""


class Claims:
    """Compares answers with the log. `time_of` gives the loop's time of a time of the servers' clock, or its now."""

    def __init__(self, log: Database, broker: Broker, wire: HeadsWire, time_of: Callable[..., float]) -> None:
        self._committed: list[list[float]] = [[] for _ in range(PARTITIONS)]
        """By partition and position, when each event was committed."""
        self._time_of = time_of
        self._wire = wire
        self._doubtful_until = 0.0
        self.fresh_since = 0.0
        """When an answer was asked for that lacked nothing."""
        log.committed.append(self._see)
        broker.appended.append(self._see_heads)

    def _see(self, _: Database, transaction: Transaction) -> None:
        for table, key in transaction.writes:
            if table == "log":
                self._committed[key[0]].append(self._time_of())

    def _see_heads(self, topic: str, _: int, records: list[Record]) -> None:
        """Heads hold what was recorded before their time; where a late one comes, too."""
        for heads in map(self._wire.read, records if topic == self._wire.topic else ()):
            if heads is not None:
                self._complete(heads.positions, heads.at)

    def clock_set(self, seconds: float) -> None:
        """What the clock said before, it may say once more."""
        again = max(0.0, -seconds) if seconds > -1000 else 0.0  # an hour more than any schedule takes
        self._doubtful_until = max(self._doubtful_until, self._time_of() + UNDER_WAY + again)

    def check(self, found: Freshness, asked: float) -> None:
        """Raises `Violation` where an answer that was asked for at that time claims to hold what it does not."""
        positions = found.positions[SERVICE]
        if asked > self._doubtful_until:
            if found.complete_until is not None:
                self._complete(positions, found.complete_until)
            if found.lag_events is not None:
                self._lag(positions, found.lag_events, asked)
        if found.lag_events == 0:
            self.fresh_since = asked

    def _complete(self, positions: Sequence[int], until: datetime) -> None:
        before, now = self._time_of(until), self._time_of()
        if before <= self._doubtful_until or (before > now and now <= self._doubtful_until):
            return  # it was said by the clock as it was before
        for partition, (times, position) in enumerate(zip(self._committed, positions, strict=True)):
            if len(times) > position and times[position] < before:
                raise Violation(
                    f"claimed to be complete: up to {before - 1000:.3f}, and partition {partition} is at {position}; "
                    f"the next was recorded at {times[position] - 1000:.3f}"
                )

    def _lag(self, positions: Sequence[int], events: int, asked: float) -> None:
        there = [sum(at < asked - LATE for at in times) for times in self._committed]
        missing = sum(max(0, n - position) for n, position in zip(there, positions, strict=True))
        if events < missing:
            raise Violation(f"claimed to lack less: {events} events, and {missing} were there {LATE:.0f} s before")


async def ask_how_far(world: World, engine: Any) -> None:
    """Somebody who asks again and again how far the views are, as an answer would say it."""
    watch = Watch(engine, partitions=PARTITIONS)
    while True:
        await asyncio.sleep(world.random.choice([0.1, 0.3, 1.0]))
        asked = time.monotonic()
        try:
            found = await watch.freshness(*world.random.choice([[BOOKS], [COUNT], [BOOKS, COUNT]]))
        except FAILED:
            continue
        try:
            world.claims.check(found, asked)
        except Violation as violation:
            world.violated(violation)
