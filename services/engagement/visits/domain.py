"""A view counts once per member, target and hour; each is a stream of one event."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from services.engagement.events import TargetViewed
from services.engagement.targets import Target, engageable
from shared.events.decider import Decider
from shared.events.fact import Fact
from shared.events.identity import derived_id


def evolve(_: TargetViewed | None, fact: Fact[TargetViewed]) -> TargetViewed:
    return fact.event


VISIT: Decider[TargetViewed, TargetViewed] = Decider("view", evolve)


def hour_of(at: datetime) -> datetime:
    """The beginning of the hour, in UTC."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def visit_id(target_id: UUID, member_id: UUID, hour: datetime) -> UUID:
    """The stream of a member's view of a target in an hour."""
    return derived_id("visit", target_id, member_id, hour.isoformat())


def visit(state: TargetViewed | None, target: Target | None, member_id: UUID, hour: datetime) -> list[TargetViewed]:
    """Count a look at what stands."""
    if state is not None:
        return []
    seen = engageable(target)
    return [TargetViewed(seen.id, seen.kind, seen.author_id, member_id, hour)]
