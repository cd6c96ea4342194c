"""How far views are and how far behind, told from the database, so that any process can: never silent staleness.

All is measured to the logs. A view of an own log is measured exactly, in one snapshot; a view of a topic against the
newest heads that the other service has told (`heads.py`). While it tells none, nobody knows how many events are
missing, and `lag_seconds` rises.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from datetime import datetime

import asyncpg
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_serializer
from pydantic.config import JsonDict
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import Driver, driver
from shared.events.positions import EXAMPLE as POSITION_EXAMPLE
from shared.events.positions import Positions, Seal
from shared.projections.movement import Movement
from shared.projections.read_model import ReadModel
from shared.projections.waiting import Waiting

SILENT = 1.5
"""Seconds without heads of a source after which nobody knows how far its log is."""


EXAMPLE: JsonDict = {
    "positions": POSITION_EXAMPLE,
    "complete_until": "2026-03-01T15:00:00.250000Z",
    "lag_events": 0,
    "lag_seconds": 0.0,
}


class Freshness(BaseModel):
    """How far the views behind an answer are: positions by source and partition, and what they lack of the logs.

    Callers see the positions as one sealed token.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)

    positions: dict[str, list[int]] = Field(
        description="How far the answer is: sent back as `Guildhall-After`, a later answer is at least as far."
    )
    complete_until: datetime | None = Field(
        description="Everything acknowledged before this time is in the answer, but for events that could not be "
        "folded, of which operators are alarmed; null when that was never known."
    )
    lag_events: int | None = Field(
        description="Events recorded and not folded yet; null while a service does not say how far its log is."
    )
    lag_seconds: float = Field(
        description="How long ago `complete_until` was, while something is missing or may be; 0 when nothing is."
    )
    _seal: Seal | None = PrivateAttr(None)

    def sealed_by(self, seal: Seal | None) -> Freshness:
        """The same, shown with that seal."""
        self._seal = seal
        return self

    @property
    def seal(self) -> Seal | None:
        return self._seal

    @field_serializer("positions", when_used="json")
    def _sealed(self, positions: dict[str, list[int]]) -> str:
        assert self._seal is not None, "what is shown to a caller has been measured by a Watch"
        return self._seal.seal(
            {(source, partition): n for source, ns in positions.items() for partition, n in enumerate(ns)}
        )


# One snapshot: heads, watermarks, and the first event that is missing. What was acknowledged before that was recorded,
# which is when its transaction began, is in the view.
OWN = """
with mine as (
    select partition, min(position) as position from watermark
    where view = any($1::text[]) and source = $2 group by partition having count(*) = $3
)
select p.id as partition, coalesce(m.position, 0) as position, p.position as head, l.recorded_at as missing_since,
       now() as at, clock_timestamp() as now
from log_partition p
left join mine m on m.partition = p.id
left join log l on l.partition = p.id and l.position = coalesce(m.position, 0) + 1
"""
TOPICS = """
select s.source, p.partition, w.position, w.views, h.positions[p.partition + 1] as head, h.at,
       case when w.caught_up = w.views then w.caught_up_at end as caught_up_at, clock_timestamp() as now
from unnest($2::text[]) as s(source)
cross join generate_series(0, $3 - 1) as p(partition)
left join log_head h on h.source = s.source
left join lateral (
    select min(m.position) as position, count(*) as views, min(m.caught_up_at) as caught_up_at,
           count(m.caught_up_at) as caught_up
    from watermark m where m.view = any($1::text[]) and m.source = s.source and m.partition = p.partition
) w on true
"""


class Watch:
    """`own` is the service whose log lies in this database, None where there is none; `seal` is for what is shown."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        partitions: int,
        own: str | None = None,
        movement: Movement | None = None,
        seal: Seal | None = None,
    ) -> None:
        self._seal = seal
        self._engine = engine
        self._partitions = partitions
        self._own = own
        self._waiting = Waiting(engine, movement)
        self._began = time.monotonic()

    async def freshness(self, *views: ReadModel) -> Freshness:
        """How far all of these views are: where they differ, as far as the last of them."""
        topics = sorted({source for view in views for source in view.sources if source != self._own})
        measure = _Measure(self._partitions, time.monotonic() - self._began)
        async with driver(self._engine) as connection:
            readers = [view.name for view in views if self._own in view.sources]
            if readers:
                await self._measure_own(connection, readers, measure)
            if topics:
                await self._measure_topics(connection, views, topics, measure)
        return measure.freshness().sealed_by(self._seal)

    async def _measure_own(self, connection: Driver, views: Sequence[str], measure: _Measure) -> None:
        assert self._own is not None
        for row in await connection.fetch(OWN, views, self._own, len(views)):
            lag = max(0, row["head"] - row["position"])
            measure.add(self._own, row, row["position"], row["missing_since"] if lag else row["at"], lag)

    async def _measure_topics(
        self, connection: Driver, views: Sequence[ReadModel], topics: Sequence[str], measure: _Measure
    ) -> None:
        readers = {source: sum(source in view.sources for view in views) for source in topics}
        for row in await connection.fetch(TOPICS, [view.name for view in views], topics, self._partitions):
            source, head = row["source"], row["head"]
            # Else one of them has never been read.
            position = row["position"] if row["views"] == readers[source] else 0
            reached = head is not None and position >= head
            until = row["at"] if reached else row["caught_up_at"] if row["views"] == readers[source] else None
            if head is None or not 0 <= (row["now"] - row["at"]).total_seconds() <= SILENT:
                measure.add(source, row, position, until, None)
            else:
                measure.add(source, row, position, until, 0 if reached else head - position)

    async def wait_for(
        self, views: Sequence[ReadModel], positions: Positions, timeout: float, *, caller: Hashable = None
    ) -> None:
        """As `Waiting.until`."""
        await self._waiting.until(views, positions, timeout, caller=caller)


class _Measure:
    """Sums up partitions. `unread` is the age of what was never read: nobody can tell it, so it is the process's."""

    def __init__(self, partitions: int, unread: float) -> None:
        self._positions: dict[str, list[int]] = {}
        self._events: int | None = 0
        self._until: list[datetime | None] = []
        self._seconds = 0.0
        self._partitions = partitions
        self._unread = unread

    def add(self, source: str, row: asyncpg.Record, position: int, until: datetime | None, lag: int | None) -> None:
        """A partition that holds all acknowledged before `until`, and lacks `lag` events, None when nobody knows.

        A time to come is from before the database's clock was set back, and tells nothing.
        """
        self._positions.setdefault(source, [0] * self._partitions)[row["partition"]] = position
        if until is not None and until > row["now"]:
            until = None
        self._until.append(until)
        if lag != 0:
            self._seconds = max(self._seconds, self._unread if until is None else (row["now"] - until).total_seconds())
        self._events = None if lag is None or self._events is None else self._events + lag

    def freshness(self) -> Freshness:
        known = [until for until in self._until if until is not None]
        return Freshness(
            positions=self._positions,
            complete_until=min(known) if known and len(known) == len(self._until) else None,
            lag_events=self._events,
            lag_seconds=round(max(self._seconds, 0.0), 3),
        )
