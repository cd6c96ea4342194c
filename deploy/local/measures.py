"""How far the events of each service have come, from what the services say at /status; lag is a subtraction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from deploy.local.service import SERVICES, status_at

FACTS = tuple(name for name in SERVICES if name != "projection")
"""The services that write events."""


@dataclass(frozen=True)
class Measure:
    """The events of one service: written to its log, on Kafka, in every view that reads them.

    `projected` counts what the slowest of those views has, wherever it is. A number is None while whoever knows it
    does not answer.
    """

    service: str
    written: int | None
    relayed: int | None
    projected: int | None

    @property
    def relay_lag(self) -> int | None:
        return _lag(self.written, self.relayed)

    @property
    def projection_lag(self) -> int | None:
        return _lag(self.written, self.projected)

    @property
    def behind(self) -> bool:
        """True unless everybody answers and nothing is missing anywhere."""
        return bool(self.relay_lag != 0 or self.projection_lag != 0)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "relay_lag": self.relay_lag, "projection_lag": self.projection_lag}


def measure(statuses: Mapping[str, Mapping[str, Any]]) -> list[Measure]:
    """`statuses` is {service: body of its /status, empty where it did not answer}."""
    return [_one(name, statuses) for name in FACTS if name in statuses]


def _one(name: str, statuses: Mapping[str, Mapping[str, Any]]) -> Measure:
    body = statuses[name]
    taken = [
        sum(sources[name])
        for other in statuses.values()
        for sources in (other.get("views") or {}).values()
        if name in sources
    ]
    return Measure(
        name,
        sum(body["log"]) if body else None,
        sum(body.get("relayed") or []) if body else None,
        min(taken, default=0) if all(statuses.values()) else None,
    )


def ask(ports: Mapping[str, int]) -> list[Measure]:
    """Ask every service that has a port."""
    return measure({name: status_at(ports[name]) for name in SERVICES if name in ports})


def _lag(ahead: int | None, behind: int | None) -> int | None:
    return None if ahead is None or behind is None else max(0, ahead - behind)
