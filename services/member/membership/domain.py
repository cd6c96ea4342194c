"""One member in one community: apply, join, hold roles, leave, come again. The member id stays through all of it.

An application can be taken back while it waits. Who was removed comes back by applying only, also where everybody else
just joins. A robot is marked as one whatever its status is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, assert_never
from uuid import UUID

from services.member.communities.domain import Community, admits
from services.member.events import (
    ApplicationAccepted,
    ApplicationDeclined,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    RobotMarked,
    RobotUnmarked,
    RoleGranted,
    RoleRevoked,
)
from shared.events.decider import Decider
from shared.events.errors import Conflict, NotFound
from shared.events.event import Text
from shared.events.identity import derived_id

Status = Literal["none", "applicant", "withdrawn", "declined", "member", "left", "removed"]

MembershipEvent = (
    MemberJoined
    | ApplicationSubmitted
    | ApplicationWithdrawn
    | ApplicationAccepted
    | ApplicationDeclined
    | MemberLeft
    | MemberRemoved
    | RobotMarked
    | RobotUnmarked
    | RoleGranted
    | RoleRevoked
)


@dataclass(frozen=True, slots=True)
class Membership:
    """`times_joined` counts the joinings; `roles` are those granted on this stream, so never `owner`.

    `answers` belong to the last application, `reason` to the last time one was declined or removed. `barred` is who was
    removed, until somebody lets them in again.
    """

    status: Status = "none"
    times_joined: int = 0
    roles: frozenset[str] = frozenset()
    robot: bool = False
    barred: bool = False
    answers: Text | None = None
    reason: Text | None = None


def evolve(state: Membership, event: MembershipEvent) -> Membership:
    match event:
        case MemberJoined(number_of_times=times):
            return replace(state, status="member", times_joined=times, barred=False)
        case ApplicationSubmitted(answers=answers):
            return replace(state, status="applicant", answers=answers, reason=None)
        case ApplicationWithdrawn():
            return replace(state, status="withdrawn", answers=None)
        case ApplicationAccepted():
            return state  # MemberJoined follows
        case ApplicationDeclined(reason=reason):
            return replace(state, status="declined", reason=reason)
        case MemberLeft():
            return replace(state, status="left")
        case MemberRemoved(reason=reason):
            return replace(state, status="removed", barred=True, reason=reason)
        case RobotMarked():
            return replace(state, robot=True)
        case RobotUnmarked():
            return replace(state, robot=False)
        case RoleGranted(role=role):
            return replace(state, roles=state.roles | {role})
        case RoleRevoked(role=role):
            return replace(state, roles=state.roles - {role})
        case _:
            assert_never(event)


def words(state: Membership) -> Sequence[Text | None]:
    """What is said of an application until it is accepted or taken back, and why somebody was removed."""
    match state.status:
        case "applicant" | "declined":
            return state.answers, state.reason
        case "removed":
            return (state.reason,)
        case _:
            return ()


MEMBERSHIP: Decider[Membership, MembershipEvent] = Decider("member", Membership(), evolve, words)


def membership_id(community: UUID, member_id: UUID) -> UUID:
    """The stream of a member in a community."""
    return derived_id("membership", community, member_id)


def join_as_founder(state: Membership, member_id: UUID) -> list[MembershipEvent]:
    """Join by founding, once ever: a founder who has left does not come back by repeating the founding."""
    return [] if state.times_joined else [MemberJoined(member_id, "founding", 1)]


def come(state: Membership, community: Community, member_id: UUID) -> list[MembershipEvent]:
    """Join, where admission is open."""
    if state.status != "member" and admits(community) != "open":
        raise Conflict("How one gets in here was changed at the same moment. Try again.", retry_after=1)
    return join(state, member_id)


def ask(state: Membership, community: Community, member_id: UUID, answers: Text | None) -> list[MembershipEvent]:
    """Apply, where one cannot simply join."""
    if state.status != "member" and admits(community) == "open" and not state.barred:
        raise Conflict("How one gets in here was changed at the same moment. Try again.", retry_after=1)
    return apply(state, member_id, answers)


def join(state: Membership, member_id: UUID) -> list[MembershipEvent]:
    """Join a community that is open to everybody; a waiting application is thereby settled."""
    if state.status == "member":
        return []
    if state.barred:
        raise Conflict("You were removed from this community. You may apply to come back.")
    return [MemberJoined(member_id, "rejoining" if state.times_joined else "open", state.times_joined + 1)]


def bring_in(state: Membership, member_id: UUID, *, robot: bool) -> list[MembershipEvent]:
    """Join as a backfill tells it. It brings nobody back who is not here by their own or a moderator's decision."""
    if state.status in ("left", "removed", "declined", "withdrawn"):
        raise Conflict("That they are not here was decided here, and a backfill does not change it.")
    joined = join(state, member_id)
    return [*joined, *(mark_robot(MEMBERSHIP.fold(joined, state), member_id) if robot else [])]


def apply(state: Membership, member_id: UUID, answers: Text | None) -> list[MembershipEvent]:
    """Ask to be let in; after a decline, a removal or after having left, one may ask again."""
    if state.status == "member" or (state.status == "applicant" and state.answers == answers):
        return []
    if state.status == "applicant":
        raise Conflict("You have applied already. Your application is waiting for a decision.")
    return [ApplicationSubmitted(member_id, answers)]


def accept(state: Membership, member_id: UUID) -> list[MembershipEvent]:
    """Let an applicant in."""
    if state.status == "member":
        return []
    _waiting(state)
    return [ApplicationAccepted(member_id), MemberJoined(member_id, "application", state.times_joined + 1)]


def decline(state: Membership, member_id: UUID, reason: Text | None) -> list[MembershipEvent]:
    """Refuse an applicant, with a reason if wished."""
    if state.status == "declined" and state.reason == reason:
        return []
    _waiting(state)
    return [ApplicationDeclined(member_id, reason)]


def leave(state: Membership, member_id: UUID) -> list[MembershipEvent]:
    """Go, or take one's application back, also one that was declined, if there are words in it. The roles end with it,
    an ownership on the community's stream.
    """
    if state.status == "applicant" or (state.status == "declined" and state.answers):
        return [ApplicationWithdrawn(member_id)]
    if state.status != "member":
        return []
    return [*without_roles(state, member_id), MemberLeft(member_id)]


def without_roles(state: Membership, member_id: UUID) -> list[MembershipEvent]:
    """The end of all roles that are held on this stream."""
    return [RoleRevoked(member_id, role) for role in sorted(state.roles)]


def mark_robot(state: Membership, member_id: UUID) -> list[MembershipEvent]:
    """Say that the account is a program's."""
    known(state)
    return [] if state.robot else [RobotMarked(member_id)]


def unmark_robot(state: Membership, member_id: UUID) -> list[MembershipEvent]:
    """Say that it is not."""
    known(state)
    return [RobotUnmarked(member_id)] if state.robot else []


def _waiting(state: Membership) -> None:
    known(state)
    if state.status != "applicant":
        raise Conflict("This member has no application that waits for a decision.")


def known(state: Membership) -> None:
    """Raises `NotFound` for somebody who never came."""
    if state.status == "none":
        raise NotFound("There is no such member.")
