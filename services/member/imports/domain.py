"""What somebody brought in may be withdrawn as a whole, and restored.

Decided on the community's stream. An import is named by who brought it in, and a withdrawal holds for what was recorded
by a moment: what the same member brings in later counts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from services.member.communities.domain import OWNER, Community, CommunityEvent
from services.member.events import ImportRestored, ImportWithdrawn
from services.member.roles.domain import Holder, must_stand_above
from shared.events.errors import Conflict, Forbidden, Invalid

MOST: Final = 1_000
"""Importers whose imports may be withdrawn in a community at once. Whether somebody ever brought something in, another
service may know alone, so what bounds the list is its length."""


def must_judge(by: Holder, importer: Holder) -> None:
    """Raises `Forbidden` for who neither owns the community nor stands above who brought it in; nobody else judges
    their own.
    """
    if OWNER in by.roles:
        return
    if by.id == importer.id:
        raise Forbidden("Only an owner or an operator withdraws or restores what they brought in themselves.")
    must_stand_above(by, importer)


def withdraw(
    state: Community, importer_id: UUID, until: datetime | None, now: datetime, most: int
) -> list[CommunityEvent]:
    """Withdraw what was brought in by a moment; without one, by now, unless some of it is withdrawn already."""
    if until is not None and until > now:
        raise Invalid("`until` lies in the future.", pointer="/until")
    before = state.withdrawn.get(importer_id)
    if before is not None and until in (None, before):
        return []
    if before is None and len(state.withdrawn) >= most:
        raise Conflict(f"The imports of {most:,} members are withdrawn here, as many as can be. Restore one first.")
    return [ImportWithdrawn(importer_id, until or now)]


def restore(state: Community, importer_id: UUID) -> list[CommunityEvent]:
    """Let it count again; where nothing is withdrawn, nothing happens."""
    return [ImportRestored(importer_id)] if importer_id in state.withdrawn else []
