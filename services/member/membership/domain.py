"""One member in one community: apply, join, hold roles, leave, come again. The member id stays through all of it.

An application can be taken back while it waits. Who was removed comes back by applying only, also where everybody else
just joins. A robot is marked as one whatever its status is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Literal, assert_never
from uuid import UUID

from services.member.communities.domain import Community
from services.member.events import (
    ApplicationAccepted,
    ApplicationDeclined,
    ApplicationExpired,
    ApplicationSubmitted,
    ApplicationWaits,
    ApplicationWithdrawn,
    MemberErased,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    RobotMarked,
    RobotUnmarked,
    RoleGranted,
    RoleRevoked,
)
from shared.events.decider import Decider
from shared.events.errors import Conflict
from shared.events.event import Text
from shared.events.fact import Fact
from shared.events.identity import derived_id
from shared.events.schedule import next_time

Status = Literal["none", "applicant", "withdrawn", "declined", "expired", "member", "left", "removed"]

MembershipEvent = (
    MemberJoined
    | ApplicationSubmitted
    | ApplicationWithdrawn
    | ApplicationAccepted
    | ApplicationDeclined
    | ApplicationWaits
    | ApplicationExpired
    | MemberLeft
    | MemberRemoved
    | MemberErased
    | RobotMarked
    | RobotUnmarked
    | RoleGranted
    | RoleRevoked
)


@dataclass(frozen=True, slots=True)
class Membership:
    """`times_joined` counts the joinings; `roles` are those granted on this stream, so never `owner`.

    `answers` belong to the last application, `reason` to the last time one was declined or removed. `barred` is who was
    removed, until somebody lets them in again. `since` is when the status began, `brought_in_at` when the last joining
    that was brought in happened; `imported_by` is who brought in the first that is known of them. `erased` is whose
    words were erased and are kept no more.
    """

    status: Status
    since: datetime
    imported_by: UUID | None = None
    brought_in_at: datetime | None = None
    times_joined: int = 0
    roles: frozenset[str] = frozenset()
    robot: bool = False
    barred: bool = False
    answers: Text | None = None
    reason: Text | None = None
    erased: bool = False
    reminded_at: datetime | None = None
    """When it was last said of the application that waits that it does."""


REMINDED_AFTER = timedelta(days=2)
"""How long an application waits before that is said, at the next six o'clock in the community, and each day again."""
SIX = time(6)


def evolve(state: Membership | None, fact: Fact[MembershipEvent]) -> Membership:
    at, state = fact.at, state or Membership("none", fact.at, fact.imported_by)
    match fact.event:
        case MemberJoined(number_of_times=times):
            brought_in_at = at if fact.imported_by else state.brought_in_at
            joined = replace(state, status="member", since=at, times_joined=times, barred=False)
            return replace(joined, brought_in_at=brought_in_at)
        case ApplicationSubmitted(answers=answers):
            return replace(state, status="applicant", since=at, answers=answers, reason=None, reminded_at=None)
        case ApplicationWaits():
            return replace(state, reminded_at=at)
        case ApplicationExpired():
            return replace(state, status="expired", since=at, answers=None)
        case ApplicationWithdrawn():
            return replace(state, status="withdrawn", since=at, answers=None)
        case ApplicationAccepted():
            return state  # MemberJoined follows
        case ApplicationDeclined(reason=reason):
            return replace(state, status="declined", since=at, reason=reason)
        case MemberLeft():
            return replace(state, status="left", since=at)
        case MemberRemoved(reason=reason):
            return replace(state, status="removed", since=at, barred=True, reason=reason)
        case MemberErased():
            return replace(state, erased=True, answers=None, reason=None)
        case RobotMarked():
            return replace(state, robot=True)
        case RobotUnmarked():
            return replace(state, robot=False)
        case RoleGranted(role=role):
            return replace(state, roles=state.roles | {role})
        case RoleRevoked(role=role):
            return replace(state, roles=state.roles - {role})
        case _:
            assert_never(fact.event)


def words(state: Membership) -> Sequence[Text | None]:
    """What is said of an application until it is accepted or taken back, and why somebody was removed."""
    match state.status:
        case "applicant" | "declined":
            return state.answers, state.reason
        case "removed":
            return (state.reason,)
        case _:
            return ()


MEMBERSHIP: Decider[Membership, MembershipEvent] = Decider("member", evolve, words)


def membership_id(community: UUID, member_id: UUID) -> UUID:
    """The stream of a member in a community."""
    return derived_id("membership", community, member_id)


def is_member(state: Membership | None) -> bool:
    """Whether they are here."""
    return state is not None and state.status == "member"


def erase(state: Membership, member_id: UUID) -> list[MembershipEvent]:
    """Have every service erase what they wrote; once is for ever."""
    return [] if state.erased else [MemberErased(member_id)]


def join_as_founder(state: Membership | None, member_id: UUID) -> list[MembershipEvent]:
    """Join by founding, once ever: a founder who has left does not come back by repeating the founding."""
    return [] if state and state.times_joined else [MemberJoined(member_id, "founding", 1)]


def come(state: Membership | None, community: Community, member_id: UUID) -> list[MembershipEvent]:
    """Join, where admission is open."""
    if not is_member(state) and community.description.admission != "open":
        raise Conflict("How one gets in here was changed at the same moment. Try again.", retry_after=1)
    return join(state, member_id)


def ask(
    state: Membership | None, community: Community, member_id: UUID, answers: Text | None, now: datetime
) -> list[MembershipEvent]:
    """Apply, where one cannot simply join."""
    joins = community.description.admission == "open" and not (state and state.barred)
    if joins and not is_member(state):
        raise Conflict("How one gets in here was changed at the same moment. Try again.", retry_after=1)
    described = community.description
    expires_at = now + timedelta(days=described.application_days) if described.application_days else None
    reminds_at = next_time(now + REMINDED_AFTER, described.time_zone, SIX)
    return apply(state, member_id, answers, expires_at, reminds_at)


def join(state: Membership | None, member_id: UUID) -> list[MembershipEvent]:
    """Join a community that is open to everybody; a waiting application is thereby settled."""
    if is_member(state):
        return []
    if state and state.barred:
        raise Conflict("You were removed from this community. You may apply to come back.")
    times = state.times_joined if state else 0
    return [MemberJoined(member_id, "rejoining" if times else "open", times + 1)]


def decided_here(state: Membership | None) -> bool:
    """Whether it was decided here that somebody is here or is not: all but a first application that waits."""
    return state is not None and (state.status != "applicant" or state.barred or state.times_joined > 0)


def bring_in(state: Membership | None, member_id: UUID, *, robot: bool) -> list[MembershipEvent]:
    """Join as a backfill tells it. It brings nobody back who is not here by their own or a moderator's decision, and
    marks nobody who is not here.
    """
    if decided_here(state) and not is_member(state):
        return []
    marked = [RobotMarked(member_id)] if robot and not (state and state.robot) else []
    return [*join(state, member_id), *marked]


def apply(
    state: Membership | None,
    member_id: UUID,
    answers: Text | None,
    expires_at: datetime | None = None,
    reminds_at: datetime | None = None,
) -> list[MembershipEvent]:
    """Ask to be let in; after a decline, a removal or after having left, one may ask again."""
    applies = state is not None and state.status == "applicant"
    if is_member(state) or (state and applies and state.answers == answers):
        return []
    if applies:
        raise Conflict("You have applied already. Your application is waiting for a decision.")
    return [ApplicationSubmitted(member_id, answers, expires_at, reminds_at)]


def remind(
    state: Membership | None, community: Community, member_id: UUID, applied_at: datetime, now: datetime
) -> list[MembershipEvent]:
    """Say that the application of then still waits, once a day."""
    if not _waits_since(state, applied_at, community) or (state and state.reminded_at and state.reminded_at >= now):
        return []
    return [ApplicationWaits(member_id, applied_at, next_time(now, community.description.time_zone, SIX))]


def expire(
    state: Membership | None, community: Community, member_id: UUID, applied_at: datetime
) -> list[MembershipEvent]:
    """End the application of then, where nobody has decided it or taken it back."""
    return [ApplicationExpired(member_id)] if _waits_since(state, applied_at, community) else []


def _waits_since(state: Membership | None, applied_at: datetime, community: Community) -> bool:
    """Whether that very application waits; in an archived community nothing happens any more."""
    return state is not None and (state.status, state.since) == ("applicant", applied_at) and not community.archived


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
    return [] if state.robot else [RobotMarked(member_id)]


def unmark_robot(state: Membership, member_id: UUID) -> list[MembershipEvent]:
    """Say that it is not."""
    return [RobotUnmarked(member_id)] if state.robot else []


def _waiting(state: Membership) -> None:
    if state.status != "applicant":
        raise Conflict("This member has no application that waits for a decision.")
