"""A view counts once per member, target and hour; each is a stream of one event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from services.engagement.events import TargetViewed
from services.engagement.targets import Target, engageable
from shared.events.decider import Decider
from shared.events.identity import derived_id


@dataclass(frozen=True, slots=True)
class Visit:
    counted: bool = False


def evolve(state: Visit, event: TargetViewed) -> Visit:
    return Visit(counted=True)


VISIT: Decider[Visit, TargetViewed] = Decider("view", Visit(), evolve)


def hour_of(at: datetime) -> datetime:
    """The beginning of the hour, in UTC."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def visit_id(target_id: UUID, member_id: UUID, hour: datetime) -> UUID:
    """The stream of a member's view of a target in an hour."""
    return derived_id("visit", target_id, member_id, hour.isoformat())


def visit(state: Visit, target: Target | None, member_id: UUID, hour: datetime) -> list[TargetViewed]:
    """Count a look at what stands."""
    if state.counted:
        return []
    seen = engageable(target)
    return [TargetViewed(seen.id, seen.kind, seen.author_id, member_id, hour)]
