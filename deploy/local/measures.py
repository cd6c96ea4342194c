"""How far everything is, from what the services say at /status: positions, and lag by subtraction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from deploy.local.service import SERVICES, status_at


@dataclass(frozen=True)
class Measure:
    """Events of one service; `None` where it did not answer."""

    service: str
    written: int | None
    relayed: int | None
    relay_lag: int | None
    folded: int | None  # events its views have taken in, over all sources of the slowest view
    view_lag: int | None  # events its slowest view has still to take in

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure(statuses: Mapping[str, Mapping[str, Any]]) -> list[Measure]:
    """`statuses` is {service: body of its /status}; lags of views are against the sources' own logs."""
    heads = {name: list(body.get("log") or []) for name, body in statuses.items()}
    return [_one(name, statuses[name], heads) for name in statuses]


def _one(name: str, body: Mapping[str, Any], heads: Mapping[str, list[int]]) -> Measure:
    if not body:
        return Measure(name, None, None, None, None, None)
    written, relayed = sum(heads[name]), sum(body.get("relayed") or [])
    folded, lag = None, 0
    for sources in (body.get("views") or {}).values():
        taken, behind = 0, 0
        for source, positions in sources.items():
            taken += sum(positions)
            behind += max(0, sum(heads.get(source, [])) - sum(positions))
        folded = taken if folded is None else min(folded, taken)
        lag = max(lag, behind)
    return Measure(name, written, relayed, max(0, written - relayed), folded, lag)


def settled(measures: list[Measure]) -> bool:
    """Everybody answered, everything is relayed and taken in."""
    return bool(measures) and all(one.relay_lag == 0 and one.view_lag == 0 for one in measures)


def ask(ports: Mapping[str, int]) -> list[Measure]:
    """Ask every service that has a port."""
    return measure({name: status_at(ports[name]) for name in SERVICES if name in ports})
