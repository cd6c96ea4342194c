"""What one engages with: something of the content service, as its events have told. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from shared.events.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Target:
    """A thread, reply or comment; `gone` once it or what it stands in was deleted, at `gone_at` where that is known."""

    id: UUID
    kind: str
    author_id: UUID | None
    gone: bool = False
    gone_at: datetime | None = None

    def as_of(self, moment: datetime) -> Target:
        """The target as it was then."""
        return replace(self, gone=False) if self.gone_at is not None and self.gone_at > moment else self


def engageable(target: Target | None) -> Target:
    """The target, if one may engage with it. Raises `NotFound` where there is none, `Conflict` where it is gone."""
    if target is None:
        raise NotFound("There is no such thread, reply or comment.")
    if target.gone:
        raise Conflict(f"The {target.kind} was deleted.")
    return target
