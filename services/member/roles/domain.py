"""Who may give a role to whom, and remove whom: nobody grants what he lacks, and only those who are present hold roles.

`owner` is kept on the community's stream and every other role on the membership's; the rules are the same for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.member.communities.domain import OWNER, Community, CommunityEvent, add_owner, remove_owner
from services.member.events import MemberRemoved, RoleGranted, RoleRevoked
from services.member.membership.domain import MEMBERSHIP, Membership, MembershipEvent, is_member, without_roles
from shared.events.errors import Conflict, Forbidden
from shared.events.event import Text

ADMINISTRATOR = "administrator"
MODERATOR = "moderator"

GRANTERS: Mapping[str, frozenset[str]] = {
    OWNER: frozenset({OWNER}),
    ADMINISTRATOR: frozenset({OWNER}),
    MODERATOR: frozenset({OWNER, ADMINISTRATOR}),
}
"""For each role, the roles whose holders may grant and revoke it."""

RANKS: Mapping[str, int] = {MODERATOR: 1, ADMINISTRATOR: 2, OWNER: 3}


@dataclass(frozen=True, slots=True)
class Holder:
    """A member as the rules about roles see one."""

    id: UUID
    roles: frozenset[str]


def holder(member_id: UUID, community: Community, membership: Membership | None) -> Holder:
    """The roles a member has by both streams; one who is not here has none."""
    owned = {OWNER} if member_id in community.owners else set()
    return Holder(member_id, (membership.roles | owned) if membership and is_member(membership) else frozenset())


def grant(state: Membership | None, role: str, member_id: UUID, by: Holder) -> list[MembershipEvent]:
    """Give a member a role other than `owner`."""
    _granter(role, by)
    return [] if role in _present(state).roles else [RoleGranted(member_id, role)]


def revoke(state: Membership | None, role: str, member_id: UUID, by: Holder) -> list[MembershipEvent]:
    """Take a role other than `owner` from a member, or lay one's own down."""
    if by.id != member_id:
        _granter(role, by)
    return [RoleRevoked(member_id, role)] if state and role in state.roles else []


def grant_ownership(state: Community, member_id: UUID, member: Membership | None, by: Holder) -> list[CommunityEvent]:
    """Make a member an owner; `member` is their membership."""
    _granter(OWNER, by)
    _present(member)
    return add_owner(state, member_id)


def revoke_ownership(state: Community, member_id: UUID, by: Holder) -> list[CommunityEvent]:
    """Take the ownership from a member, or lay one's own down; the last owner keeps it."""
    if by.id != member_id:
        _granter(OWNER, by)
    return remove_owner(state, member_id)


def remove(state: Membership | None, member: Holder, reason: Text | None, by: Holder) -> list[MembershipEvent]:
    """Send away a member who stands below the one who does it; the roles end with it.

    Moderators remove members, administrators moderators besides, owners all but owners. Nobody removes themselves.
    """
    if by.id == member.id:
        raise Forbidden("Nobody removes themselves. Leave instead.")
    if not _rank(by):
        raise Forbidden("Only moderators, administrators and owners remove members.")
    state = MEMBERSHIP.existing(state)
    must_stand_above(by, member)
    if state.status == "removed":
        return []
    if state.status != "member":
        raise Conflict(f"Only a member can be removed; the status of this one is {state.status!r}.")
    return [*without_roles(state, member.id), MemberRemoved(member.id, by.id, reason)]


def must_stand_above(by: Holder, member: Holder) -> None:
    """What is done to somebody else, their name, their place, their mark, is done by who stands above them.

    Raises `Forbidden`.
    """
    if by.id != member.id and _rank(by) <= _rank(member):
        raise Forbidden("This can be done only to those who stand below you.")


def _rank(holder: Holder) -> int:
    return max((RANKS.get(role, 0) for role in holder.roles), default=0)


def _granter(role: str, by: Holder) -> None:
    if not GRANTERS[role] & by.roles:
        who = " or ".join(f"an {name}" for name in sorted(GRANTERS[role], reverse=True))
        raise Forbidden(f"Only {who} may grant or revoke the role {role!r}.")


def _present(member: Membership | None) -> Membership:
    member = MEMBERSHIP.existing(member)
    if member.status != "member":
        raise Conflict("Only a member can hold a role; this one is not here.")
    return member
