"""How far a relay is, kept in one place for /status, for metrics and for the relay itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeAlias

import structlog
from prometheus_client import Counter, Gauge

PARTITION = ["service", "partition"]
RELAYED = Gauge("guildhall_relay_position", "Position up to which Kafka has the log.", PARTITION)
LAG = Gauge("guildhall_relay_lag_events", "Events in the log that Kafka does not have yet.", PARTITION)
STUCK = Gauge("guildhall_relay_stuck", "1 where the broker refuses the next event.", PARTITION)
LEADING = Gauge("guildhall_relay_leading", "1 in the process that relays.", ["service"])
PRODUCERS = Counter(
    "guildhall_relay_producers", "Producers made: one to begin with, one after each failure.", ["service"]
)

Stage: TypeAlias = Literal["standing-by", "starting", "relaying", "caught-up", "stuck"]

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RelayState:
    """For /status: `positions` and `heads` by partition, empty where this process does not lead or knows nothing yet.

    `state` is standing-by, starting (comparing topic and checkpoints, or waiting for Kafka), relaying (events wait),
    caught-up, or stuck; `problem` says in words what is wrong, if anything is. `producers` were made since the start.
    """

    state: Stage
    positions: Sequence[int]
    heads: Sequence[int]
    producers: int
    problem: str | None

    @property
    def lag(self) -> int:
        """Events in the log that Kafka does not have yet."""
        return sum(self.heads) - sum(self.positions)


@dataclass(slots=True)
class RelayProgress:
    """What a relay knows of itself: `positions` that Kafka has, `stuck` partitions with the reason of each."""

    service: str
    leading: bool = False
    positions: list[int] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    producers: int = 0
    problem: str | None = None
    stuck: dict[int, str] = field(default_factory=dict)

    @property
    def state(self) -> RelayState:
        problem = "; ".join(self.stuck.values()) or self.problem
        return RelayState(self._stage, tuple(self.positions), tuple(self.heads), self.producers, problem)

    @property
    def _stage(self) -> Stage:
        if not self.leading:
            return "standing-by"
        if not self.positions:
            return "starting"
        if self.stuck:
            return "stuck"
        return "caught-up" if self.positions == self.heads else "relaying"

    def expose(self, partitions: int) -> None:
        """Metrics that are reckoned when they are asked for; NaN while nothing is known."""
        LEADING.labels(self.service).set_function(lambda: self.leading)
        for partition in range(partitions):
            RELAYED.labels(self.service, partition).set_function(partial(self._relayed, partition))
            LAG.labels(self.service, partition).set_function(partial(self._lag, partition))
            STUCK.labels(self.service, partition).set_function(partial(self.stuck.__contains__, partition))

    def _relayed(self, partition: int) -> float:
        return self.positions[partition] if self.positions else math.nan

    def _lag(self, partition: int) -> float:
        return self.heads[partition] - self.positions[partition] if self.positions else math.nan

    def new_producer(self) -> None:
        self.producers += 1
        PRODUCERS.labels(self.service).inc()

    def begin(self, positions: list[int]) -> None:
        """It is known where to go on."""
        if self.problem is not None:
            _logger.info("relay goes on", service=self.service, after=self.problem)
        self.positions, self.problem = positions, None
        self.stuck.clear()

    def interrupted(self, error: Exception) -> None:
        """Log what is wrong when it begins, not at every try."""
        problem = str(error) or type(error).__name__
        if problem != self.problem:
            _logger.warning("relay interrupted", service=self.service, problem=problem)
        self.positions, self.problem = [], problem

    def refused(self, partition: int, error: Exception) -> None:
        """The broker does not take a partition's next event."""
        self.stuck[partition] = str(error)
        _logger.error("relay stuck", service=self.service, partition=partition, problem=str(error))

    def end(self) -> None:
        """This process leads no longer."""
        self.leading, self.positions, self.heads = False, [], []
        self.stuck.clear()
