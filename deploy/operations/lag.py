"""How far everything is behind the logs: events by subtraction, seconds by the log's own times and its own clock.

Positions are read from the readers' databases first and from the logs' last, so what is behind may be told a moment
too large and never too small.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from deploy.operations.databases import Databases
from shared import lag
from shared.db import FAILED, Driver
from shared.service.service import Service

RELAY = "relay"


@dataclass(slots=True)
class ReaderLag:
    """How far one reader of a log is, by partition: `relay`, or `<service>.<view>`.

    `behind` and `seconds` are empty while the log's database does not answer, and `complete_until` is None: the time
    before which everything was recorded that this reader has all of. A position is 0 before the first.
    """

    reader: str
    positions: list[int]
    behind: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    complete_until: datetime | None = None

    @property
    def events(self) -> int | None:
        """Events this reader lacks; None where that is not known."""
        return sum(self.behind) if self.behind else None

    @property
    def age(self) -> float | None:
        """Age in seconds of the oldest of them; 0 where there is none."""
        return max(self.seconds) if self.seconds else None

    def as_dict(self) -> dict[str, Any]:
        return {
            "reader": self.reader,
            "positions": self.positions,
            "behind": self.behind,
            "seconds": self.seconds,
            "events_behind": self.events,
            "seconds_behind": self.age,
            "complete_until": None if self.complete_until is None else self.complete_until.isoformat(),
        }


@dataclass(slots=True)
class ServiceLag:
    """One service's log and everybody who reads it. `log` has the heads by partition, None when nobody says."""

    service: str
    log: list[int] | None
    stages: list[ReaderLag]

    @property
    def events(self) -> int | None:
        return None if self.log is None else sum(self.log)

    def as_dict(self) -> dict[str, Any]:
        stages = [stage.as_dict() for stage in self.stages]
        return {"service": self.service, "log": self.log, "events": self.events, "readers": stages}


@dataclass(slots=True)
class Lag:
    """`missing` says in words what did not answer."""

    services: list[ServiceLag]
    missing: list[str]

    @property
    def stages(self) -> list[ReaderLag]:
        return [stage for service in self.services for stage in service.stages]

    def above(self, events: int | None, seconds: float | None) -> list[ReaderLag]:
        """The readers that lack more events, or for longer, than this."""
        return [
            stage
            for stage in self.stages
            if (events is not None and (stage.events or 0) > events)
            or (seconds is not None and (stage.age or 0.0) > seconds)
        ]

    def as_dict(self) -> dict[str, Any]:
        return {"services": [service.as_dict() for service in self.services], "missing": self.missing}


async def measure(
    found: Databases,
    services: Sequence[Service],
    partitions: int,
    *,
    only: Collection[str] = (),
    views: Collection[str] = (),
) -> Lag:
    """Measure the logs of `only` these services (all when empty), for these views alone (`name` or `service.name`)."""
    missing = list(found.away.values())
    owners = [service.name for service in services if service.events is not None and (not only or service.name in only)]
    stages: dict[str, list[ReaderLag]] = {name: [] for name in owners}
    for service in services:
        if (connection := found.open.get(service.name)) is None:
            continue
        try:
            await _readers(connection, service, stages, partitions, views)
        except FAILED as error:
            missing.append(f"The database of {service.name} does not say how far its views are: {error}")
    logs: dict[str, list[int] | None] = {}
    for name in owners:
        logs[name] = None
        if (connection := found.open.get(name)) is not None:
            try:
                logs[name] = await _compare(connection, stages[name])
            except FAILED as error:
                missing.append(f"The database of {name} does not say how long its log is: {error}")
    return Lag([ServiceLag(name, logs[name], stages[name]) for name in owners], missing)


async def _readers(
    connection: Driver, service: Service, stages: Mapping[str, list[ReaderLag]], partitions: int, views: Collection[str]
) -> None:
    """The relay of this service and its views, each to the log that it reads."""
    if service.name in stages and not views:
        stages[service.name].insert(0, ReaderLag(RELAY, await lag.relayed(connection)))
    known: dict[tuple[str, str], dict[int, int]] = {}
    for row in await lag.watermarks(connection):
        known.setdefault((row["view"], row["source"]), {})[row["partition"]] = row["position"]
    for view in service.views:
        reader = f"{service.name}.{view.name}"
        if views and view.name not in views and reader not in views:
            continue
        for source in view.sources:
            if source in stages:
                marks = known.get((view.name, source), {})
                stages[source].append(ReaderLag(reader, [marks.get(partition, 0) for partition in range(partitions)]))


async def _compare(connection: Driver, stages: Sequence[ReaderLag]) -> list[int]:
    """The heads; and to every reader what it lacks."""
    now = await lag.now(connection)  # before the heads: who has them all has all that was acknowledged until then
    heads = await lag.heads(connection)
    wanted: list[tuple[int, int]] = []
    places: list[tuple[ReaderLag, int]] = []
    for stage in stages:
        pairs = list(zip(heads, stage.positions, strict=False))
        stage.behind = [max(0, head - position) for head, position in pairs]
        stage.seconds = [0.0] * len(pairs)
        for partition, (head, position) in enumerate(pairs):
            if position < head:
                wanted.append((partition, position + 1))
                places.append((stage, partition))
    for (stage, partition), age in zip(places, await lag.ages(connection, wanted), strict=True):
        stage.seconds[partition] = round(age, 3)
    for stage in stages:
        stage.complete_until = now - timedelta(seconds=max(stage.seconds, default=0.0))
    return heads
