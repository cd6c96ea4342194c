"""How far everything is behind the logs: events by subtraction, seconds by the log's own times and its own clock.

Positions are read from the readers' databases first and from the logs' last, so what is behind may be told a moment
too large and never too small.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.db import Driver
from shared.operations.databases import AWAY, Databases
from shared.service.service import Service

RELAY = "relay"

WATERMARKS = "select view, source, partition, position from watermark order by view, source, partition"
RELAYED = "select position from relay_checkpoint order by partition"
HEADS = "select position from log_partition order by id"
AGES = """
select u.n - 1 as n, extract(epoch from clock_timestamp() - l.recorded_at)::float8 as age
from unnest($1::smallint[], $2::bigint[]) with ordinality as u(partition, position, n)
join log l on l.partition = u.partition and l.position = u.position
"""


@dataclass(slots=True)
class Stage:
    """How far one reader of a log is, by partition: `relay`, or `<service>.<view>`.

    `behind` and `seconds` are empty while the log's database does not answer. A position is 0 before the first.
    """

    reader: str
    positions: list[int]
    behind: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

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
        }


@dataclass(slots=True)
class ServiceLag:
    """One service's log and everybody who reads it. `log` has the heads by partition, None when nobody says."""

    service: str
    log: list[int] | None
    stages: list[Stage]

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
    def stages(self) -> list[Stage]:
        return [stage for service in self.services for stage in service.stages]

    def above(self, events: int | None, seconds: float | None) -> list[Stage]:
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
    stages: dict[str, list[Stage]] = {name: [] for name in owners}
    for service in services:
        if (connection := found.open.get(service.name)) is None:
            continue
        try:
            await _readers(connection, service, stages, partitions, views)
        except AWAY as error:
            missing.append(f"The database of {service.name} does not say how far its views are: {error}")
    logs: dict[str, list[int] | None] = {}
    for name in owners:
        logs[name] = None
        if (connection := found.open.get(name)) is not None:
            try:
                logs[name] = await _compare(connection, stages[name])
            except AWAY as error:
                missing.append(f"The database of {name} does not say how long its log is: {error}")
    return Lag([ServiceLag(name, logs[name], stages[name]) for name in owners], missing)


async def _readers(
    connection: Driver, service: Service, stages: Mapping[str, list[Stage]], partitions: int, views: Collection[str]
) -> None:
    """The relay of this service and its views, each to the log that it reads."""
    if service.name in stages and not views:
        positions = [row["position"] for row in await connection.fetch(RELAYED)]
        stages[service.name].insert(0, Stage(RELAY, positions))
    known: dict[tuple[str, str], dict[int, int]] = {}
    for row in await connection.fetch(WATERMARKS):
        known.setdefault((row["view"], row["source"]), {})[row["partition"]] = row["position"]
    for view in service.views:
        reader = f"{service.name}.{view.name}"
        if views and view.name not in views and reader not in views:
            continue
        for source in view.sources:
            if source in stages:
                marks = known.get((view.name, source), {})
                stages[source].append(Stage(reader, [marks.get(partition, 0) for partition in range(partitions)]))


async def _compare(connection: Driver, stages: Sequence[Stage]) -> list[int]:
    """The heads; and to every reader what it lacks."""
    heads = [row["position"] for row in await connection.fetch(HEADS)]
    wanted: list[tuple[int, int]] = []
    places: list[tuple[Stage, int]] = []
    for stage in stages:
        pairs = list(zip(heads, stage.positions, strict=False))
        stage.behind = [max(0, head - position) for head, position in pairs]
        stage.seconds = [0.0] * len(pairs)
        for partition, (head, position) in enumerate(pairs):
            if position < head:
                wanted.append((partition, position + 1))
                places.append((stage, partition))
    if wanted:
        for row in await connection.fetch(AGES, *zip(*wanted, strict=True)):
            stage, partition = places[row["n"]]
            stage.seconds[partition] = round(max(0.0, row["age"]), 3)
    return heads
