"""The community, the people and the words that the member service's tests speak of."""

from __future__ import annotations

from uuid import UUID

from services.member.communities.domain import Description
from services.member.events import CommunityFounded, MemberJoined, RoleGranted
from shared.events.event import Text
from shared.events.identity import derived_id

ALICE = UUID("00000000-0000-5000-8000-0000000a11ce")
BOB = UUID("00000000-0000-5000-8000-000000000b0b")
CAROL = UUID("00000000-0000-5000-8000-0000000ca401")
GARDEN = derived_id("community", "garden")

DESCRIPTION = Description("Garden", "Growing things together", "en", "Europe/Paris", "public", "open")
FOUNDED = CommunityFounded("garden", "Garden", "Growing things together", "en", "Europe/Paris", "public", "open", ALICE)
ALICE_OWNS = RoleGranted(ALICE, "owner")
BOB_OWNS = RoleGranted(BOB, "owner")
BOB_JOINED = MemberJoined(BOB, "open", 1)


def words(number: int, length: int = 12) -> Text:
    """A reference to some words; the same number stands for the same words."""
    return Text(UUID(int=number), length)
