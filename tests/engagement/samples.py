"""The people and the targets that the engagement service's tests speak of."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from services.engagement.events import ReactionAdded, ReactionWithdrawn
from services.engagement.reactions.domain import reaction_id
from services.engagement.targets import Target

ALICE = UUID("00000000-0000-5000-8000-0000000a11ce")
BOB = UUID("00000000-0000-5000-8000-000000000b0b")
ROSES = UUID("00000000-0000-7000-8000-0000000000f1")
WATER = UUID("00000000-0000-7000-8000-0000000000d1")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

QUESTION = Target(ROSES, "thread", ALICE)
DELETED = Target(ROSES, "thread", ALICE, gone=True)
NOBODYS = Target(WATER, "reply", None)

LIKE = reaction_id(ROSES, BOB, "like")
LIKED = ReactionAdded(LIKE, ROSES, "thread", ALICE, BOB, "like", True)
UNLIKED = ReactionWithdrawn(LIKE, ROSES, "thread", ALICE, BOB, "like", True, NOON, True, NOON)
