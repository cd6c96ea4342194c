"""A share counts once per member, target and day of the community; each is a stream of one event."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from services.engagement.events import TargetShared
from services.engagement.targets import Target, engageable
from shared.events.decider import Decider
from shared.events.fact import Fact
from shared.events.identity import derived_id


class Medium(StrEnum):
    """The way on which something was shared."""

    LINK = "link"
    MAIL = "mail"
    CHAT = "chat"
    SOCIAL = "social"
    OTHER = "other"


def evolve(_: TargetShared | None, fact: Fact[TargetShared]) -> TargetShared:
    return fact.event


SHARE: Decider[TargetShared, TargetShared] = Decider("share", evolve)


def share_id(target_id: UUID, member_id: UUID, at: datetime, zone: ZoneInfo) -> UUID:
    """The stream of a member's share of a target on the day of `at` in that time zone."""
    return derived_id("share", target_id, member_id, at.astimezone(zone).date().isoformat())


def share(
    state: TargetShared | None, share_id: UUID, target: Target | None, member_id: UUID, medium: Medium
) -> list[TargetShared]:
    """Tell that a member shared what stands; another on the same day, by whatever medium, is told already."""
    if state is not None:
        return []
    shared = engageable(target)
    return [TargetShared(share_id, shared.id, shared.kind, shared.author_id, member_id, str(medium))]
