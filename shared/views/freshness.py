"""How far views are and how far behind, told from the database, so that any process can: never silent staleness.

A view of an own log is measured exactly, against the log's heads. A view of a topic is measured against the topic's
end; while the broker does not say where that is, `lag_seconds` rises.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_serializer
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import Driver, driver
from shared.positions import Positions, Seal
from shared.stream.topic_ends import FRESH, Ends, TopicEnds
from shared.views.progress import Progress
from shared.views.view import View
from shared.views.waiting import Waiting


class Freshness(BaseModel):
    """How far the views behind an answer are: positions by source and partition, and what they lack.

    Callers see the positions as one sealed token. `lag_events` is null only while a process has never heard from the
    broker where the topics end.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)

    positions: dict[str, list[int]] = Field(
        description="How far the answer is: sent back as `Guildhall-After`, a later answer is at least as far."
    )
    lag_events: int | None = Field(description="Events recorded and not folded yet; null when it is not known.")
    lag_seconds: float = Field(description="Age of what is missing; 0 when nothing is.")
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


# One snapshot: heads, watermarks, and the first event that is missing.
OWN = """
with mine as (
    select partition, min(position) as position from watermark
    where view = any($1::text[]) and source = $2 group by partition having count(*) = $3
)
select p.id as partition, coalesce(m.position, 0) as position, p.position as head,
       extract(epoch from clock_timestamp() - l.recorded_at)::float8 as age
from log_partition p
left join mine m on m.partition = p.id
left join log l on l.partition = p.id and l.position = coalesce(m.position, 0) + 1
"""
TOPICS = """
select source, partition, min(position) as position, min(coalesce(kafka_offset, -1)) as last,
       extract(epoch from clock_timestamp() - min(coalesce(caught_up_at, moved_at)))::float8 as age, count(*) as views
from watermark where view = any($1::text[]) and source = any($2::text[]) group by source, partition
"""


class Watch:
    """`own` is the service whose log lies in this database, None where there is none; `seal` is for what is shown."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        partitions: int,
        own: str | None = None,
        ends: TopicEnds | None = None,
        progress: Progress | None = None,
        seal: Seal | None = None,
    ) -> None:
        self._seal = seal
        self._engine = engine
        self._partitions = partitions
        self._own = own
        self._ends = ends
        self._waiting = Waiting(engine, progress)
        self._began = time.monotonic()

    async def freshness(self, *views: View) -> Freshness:
        """How far all of these views are: where they differ, as far as the last of them."""
        topics = sorted({source for view in views for source in view.sources if source != self._own})
        ends = await self._ends.ends() if topics and self._ends is not None else None
        measure = _Measure(self._partitions)
        async with driver(self._engine) as connection:
            readers = [view.name for view in views if self._own in view.sources]
            if readers:
                await self._measure_own(connection, readers, measure)
            if topics:
                await self._measure_topics(connection, views, topics, ends, measure)
        return measure.freshness().sealed_by(self._seal)

    async def _measure_own(self, connection: Driver, views: Sequence[str], measure: _Measure) -> None:
        assert self._own is not None
        for row in await connection.fetch(OWN, views, self._own, len(views)):
            measure.add(self._own, row["partition"], row["position"], row["head"] - row["position"], row["age"] or 0.0)

    async def _measure_topics(
        self, connection: Driver, views: Sequence[View], topics: Sequence[str], ends: Ends | None, measure: _Measure
    ) -> None:
        fetched = await connection.fetch(TOPICS, [view.name for view in views], topics)
        rows = {(row["source"], row["partition"]): row for row in fetched}
        for source in topics:
            readers = sum(source in view.sources for view in views)
            for partition in range(self._partitions):
                position, read, age = 0, 0, time.monotonic() - self._began
                row = rows.get((source, partition))
                if row is not None and row["views"] == readers:  # else one of them has never been read
                    position, read, age = row["position"], row["last"] + 1, row["age"]
                if ends is None or source not in ends.offsets:
                    measure.unknown(source, partition, position, age)
                    continue
                end = ends.offsets[source][partition]
                # What is read may be past the end: then the topic was made anew, and nothing is known of its records.
                measure.add(source, partition, position, end - read if read <= end else end, age)
        if ends is not None and (silence := time.monotonic() - ends.asked) > 2 * FRESH:
            measure.seconds = max(measure.seconds, silence)

    async def wait_for(
        self, views: Sequence[View], positions: Positions, timeout: float, *, caller: Hashable = None
    ) -> None:
        """As `Waiting.until`."""
        await self._waiting.until(views, positions, timeout, caller=caller)


class _Measure:
    """Sums up partitions."""

    def __init__(self, partitions: int) -> None:
        self.positions: dict[str, list[int]] = {}
        self.events: int | None = 0
        self.seconds = 0.0
        self._partitions = partitions

    def add(self, source: str, partition: int, position: int, lag: int, age: float) -> None:
        self._place(source, partition, position)
        if lag > 0:
            self.seconds = max(self.seconds, age)
            if self.events is not None:
                self.events += lag

    def unknown(self, source: str, partition: int, position: int, age: float) -> None:
        self._place(source, partition, position)
        self.events = None
        self.seconds = max(self.seconds, age)

    def _place(self, source: str, partition: int, position: int) -> None:
        self.positions.setdefault(source, [0] * self._partitions)[partition] = position

    def freshness(self) -> Freshness:
        return Freshness(positions=self.positions, lag_events=self.events, lag_seconds=round(max(self.seconds, 0.0), 3))
