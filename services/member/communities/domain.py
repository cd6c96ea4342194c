"""A community is founded once under its slug, described anew as a whole, archived for good, and never without an owner.

Its stream holds the owners too, so that two owners who go at the same moment cannot leave it without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.member.events import (
    CommunityArchived,
    CommunityDescribed,
    CommunityFounded,
    ImportRestored,
    ImportWithdrawn,
    RoleGranted,
    RoleRevoked,
)
from shared.events.decider import Decider, begun
from shared.events.errors import Conflict, Taken
from shared.events.fact import Fact

OWNER = "owner"

CommunityEvent = (
    CommunityFounded
    | CommunityDescribed
    | CommunityArchived
    | RoleGranted
    | RoleRevoked
    | ImportWithdrawn
    | ImportRestored
)


@dataclass(frozen=True, slots=True)
class Description:
    """What a community says of itself; the organisation's own words."""

    name: str
    purpose: str
    language: str
    time_zone: str
    visibility: str
    admission: str
    application_days: int = 0
    """Days after which an application that nobody decided expires; 0 where it does not."""


@dataclass(frozen=True, slots=True)
class Community:
    """`founded_as` is what a repeated founding is compared with; `description` is how it stands today.

    `withdrawn` are the importers whose imports are withdrawn, each with the moment until which.
    """

    slug: str
    founder_id: UUID
    founded_at: datetime
    founded_as: Description
    description: Description
    archived: bool = False
    owners: frozenset[UUID] = frozenset()
    withdrawn: Mapping[UUID, datetime] = field(default_factory=dict)


def evolve(state: Community | None, fact: Fact[CommunityEvent]) -> Community:
    event = fact.event
    if isinstance(event, CommunityFounded):
        description = _described(event)
        return Community(event.slug, event.founder_id, fact.at, description, description)
    state = begun(state)
    match event:
        case CommunityDescribed():
            return replace(state, description=_described(event))
        case CommunityArchived():
            return replace(state, archived=True)
        case RoleGranted(member_id=member_id):
            return replace(state, owners=state.owners | {member_id})
        case RoleRevoked(member_id=member_id):
            return replace(state, owners=state.owners - {member_id})
        case ImportWithdrawn(importer_id=importer, until=until):
            return replace(state, withdrawn={**state.withdrawn, importer: until})
        case ImportRestored(importer_id=importer):
            return replace(state, withdrawn={who: until for who, until in state.withdrawn.items() if who != importer})
        case _:
            assert_never(event)


COMMUNITY: Decider[Community, CommunityEvent] = Decider("community", evolve)


def found(
    state: Community | None, slug: str, description: Description, founder_id: UUID, *, founder_is_member: bool = False
) -> list[CommunityEvent]:
    """Found a community; its founder owns it. `founder_is_member` is whether the founder is a member of it: a
    repetition is told how it is today, and one for members only is that to a founder who has left, too.
    """
    if state is None:
        d = description
        return [
            CommunityFounded(
                slug,
                d.name,
                d.purpose,
                d.language,
                d.time_zone,
                d.visibility,
                d.admission,
                founder_id,
                d.application_days,
            ),
            RoleGranted(founder_id, OWNER),
        ]
    known = founder_is_member or state.description.visibility == "public"
    if known and state.founder_id == founder_id and state.founded_as == description:
        return []
    raise Taken(f"A community {slug!r} exists already. Choose another slug.", pointer="/slug")


def describe(state: Community, description: Description) -> list[CommunityEvent]:
    """Replace the description as a whole."""
    if state.description == description:
        return []
    _writable(state)
    d = description
    return [
        CommunityDescribed(d.name, d.purpose, d.language, d.time_zone, d.visibility, d.admission, d.application_days)
    ]


def archive(state: Community) -> list[CommunityEvent]:
    """Close the community for writing."""
    return [] if state.archived else [CommunityArchived()]


def add_owner(state: Community, member_id: UUID) -> list[CommunityEvent]:
    """Make a member an owner; who may is decided in `roles`."""
    return [] if member_id in state.owners else [RoleGranted(member_id, OWNER)]


def remove_owner(state: Community, member_id: UUID) -> list[CommunityEvent]:
    """Take the ownership from a member; the last owner keeps it."""
    if member_id not in state.owners:
        return []
    if len(state.owners) == 1:
        raise Conflict("A community needs an owner, and this is its last. Make somebody else an owner first.")
    return [RoleRevoked(member_id, OWNER)]


def without_ownership(state: Community, member_id: UUID) -> list[CommunityEvent]:
    """The end of the ownership of a member who goes; the last owner stays."""
    if member_id not in state.owners:
        return []
    if len(state.owners) == 1:
        raise Conflict("The last owner cannot leave. Make somebody else an owner first.")
    return [RoleRevoked(member_id, OWNER)]


def _writable(state: Community) -> None:
    if state.archived:
        raise Conflict("The community is archived; it can only be read.")


def _described(event: CommunityFounded | CommunityDescribed) -> Description:
    return Description(
        event.name,
        event.purpose,
        event.language,
        event.time_zone,
        event.visibility,
        event.admission,
        event.application_days,
    )
