"""What somebody brought in may be withdrawn as a whole, and restored.

Decided on the community's stream. An import is named by who brought it in, and a withdrawal holds for what was recorded
by a moment: what the same member brings in later counts.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.member.communities.domain import Community, CommunityEvent
from services.member.events import ImportRestored, ImportWithdrawn
from shared.events.errors import Invalid


def withdraw(state: Community, importer_id: UUID, until: datetime | None, now: datetime) -> list[CommunityEvent]:
    """Withdraw what was brought in by a moment; without one, by now, unless some of it is withdrawn already."""
    if until is not None and until > now:
        raise Invalid("`until` lies in the future.", pointer="/until")
    before = state.withdrawn.get(importer_id)
    if before is not None and until in (None, before):
        return []
    return [ImportWithdrawn(importer_id, until or now)]


def restore(state: Community, importer_id: UUID) -> list[CommunityEvent]:
    """Let it count again; where nothing is withdrawn, nothing happens."""
    return [ImportRestored(importer_id)] if importer_id in state.withdrawn else []
