"""A share is told once: each is its own stream, whose id a retry with the same Idempotency-Key finds again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from services.engagement.events import TargetShared
from services.engagement.targets import Target, standing
from shared.decider import Decider
from shared.errors import KeyReused


class Medium(StrEnum):
    """The way on which something was shared."""

    LINK = "link"
    MAIL = "mail"
    CHAT = "chat"
    SOCIAL = "social"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Share:
    """`shared` is None before it was told."""

    shared: TargetShared | None = None


def evolve(state: Share, event: TargetShared) -> Share:
    return Share(event)


SHARE: Decider[Share, TargetShared] = Decider("share", Share(), evolve)


def share(
    state: Share, share_id: UUID, target_id: UUID, target: Target | None, member_id: UUID, medium: Medium
) -> list[TargetShared]:
    """Tell that a member shared what stands."""
    if state.shared is not None:
        was = state.shared
        if (was.target_id, was.member_id, was.medium) == (target_id, member_id, medium):
            return []
        raise KeyReused("share")
    told = standing(target)
    return [TargetShared(share_id, told.id, told.kind, told.author_id, member_id, str(medium))]
