"""Who may do what is decided by one pure function: in go what is asked and who asks, out comes a refusal or None.

Reading a public community needs only a token. A community for members answers outsiders as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from shared.events.errors import Conflict, Forbidden, InsufficientScope, NotFound, Problem, Unauthenticated
from shared.replicas.standing import NOBODY, Community, Standing


class Permission(StrEnum):
    """What an operation asks of its caller. The first four ask nothing of a membership.

    `ACQUAINTED` is for looking at oneself and leaving: to read here, or to be known here as anything, be it declined.
    `WITHDRAW` is for taking away what is one's own, which who has left, was removed or has applied may, too; whose a
    thing is, the decision asks.
    """

    AUTHENTICATED = "authenticated"  # a token, no community
    FOUND = "found"  # a token with the scope for it, no community
    JOIN = "join"  # a token and a community that exists, be it one for members only
    OPERATE = "operate"  # a token of the installation's operator, no community
    ACQUAINTED = "acquainted"
    WITHDRAW = "withdraw"
    READ = "read"
    CONTRIBUTE = "contribute"
    MODERATE = "moderate"
    ADMINISTER = "administer"
    OWN = "own"
    BACKFILL = "backfill"


_MEMBER = frozenset({Permission.READ, Permission.CONTRIBUTE})
_MODERATOR = _MEMBER | {Permission.MODERATE}
_ADMINISTRATOR = _MODERATOR | {Permission.ADMINISTER}
_NONE: frozenset[Permission] = frozenset()

ROLE_PERMISSIONS: Final[Mapping[str, frozenset[Permission]]] = {
    "member": _MEMBER,
    "moderator": _MODERATOR,
    "administrator": _ADMINISTRATOR,
    "owner": _ADMINISTRATOR | {Permission.OWN},
}
"""What each role permits, the least role first. `member` is what everybody has who has joined."""

BACKFILL_SCOPE = "guildhall:backfill"
FOUND_SCOPE = "guildhall:found"
OPERATE_SCOPE = "guildhall:operate"

PERMISSION_LEGEND: Final = (
    "What an operation asks of its caller is its `x-permission`. `who` is the least that passes: `anyone` with a "
    "token; a `reader`, who is anyone in a public community and a member in one for members; a role, of which "
    "`member`, `moderator`, `administrator` and `owner` each permit what those before them do; a `participant`, who is "
    "a member, was one or has applied, and takes away what is their own; who is `acquainted`, a reader or a "
    "participant; or the `operator`, who "
    "besides reads everywhere, founds and backfills. `in` is `community` where the one of the path is meant, `scope` "
    "is one the token must have, `even_archived` says that an archived community takes it, too, and `or` who else "
    "passes. Whose a thing is may count besides."
)
"""How `x-permission` is read, for who reads the API document."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a route declares: the permission it asks.

    `even_archived` is for the few operations that an archived community, otherwise read-only, still takes,
    `or_operator` for those of a role that the installation's operators may do besides.
    """

    permission: Permission
    even_archived: bool = False
    or_operator: bool = False

    @property
    def in_community(self) -> bool:
        """Whether it is asked in a community, and not by the token alone."""
        return self.permission not in (Permission.AUTHENTICATED, Permission.FOUND, Permission.OPERATE)

    def described(self) -> dict[str, str | bool]:
        """What the API document tells of it as `x-permission`; `PERMISSION_LEGEND` says how it is read."""
        described: dict[str, str | bool]
        match self.permission:
            case Permission.AUTHENTICATED:
                return {"who": "anyone"}
            case Permission.OPERATE:
                return {"who": "operator", "scope": OPERATE_SCOPE}
            case Permission.FOUND:
                return {"who": "anyone", "scope": FOUND_SCOPE}
            case Permission.JOIN:
                described = {"who": "anyone", "in": "community"}
            case Permission.WITHDRAW:
                described = {"who": "participant", "in": "community"}
            case Permission.READ:
                return {"who": "reader", "in": "community", "even_archived": True}
            case Permission.ACQUAINTED:
                return {"who": "acquainted", "in": "community", "even_archived": True}
            case Permission.BACKFILL:
                described = {"who": _roles(Permission.ADMINISTER)[0], "in": "community", "scope": BACKFILL_SCOPE}
            case _:
                described = {"who": _roles(self.permission)[0], "in": "community"}
        if self.or_operator:
            described["or"] = "operator"
        return {**described, "even_archived": True} if self.even_archived else described


def permissions_of(standing: Standing) -> frozenset[Permission]:
    """What membership and roles permit together; roles of somebody who is no member permit nothing."""
    return _permitted(standing.roles) if standing.status == "member" else _NONE


@lru_cache(maxsize=1_000)  # asked several times a request, and there are few sets of roles
def _permitted(roles: frozenset[str]) -> frozenset[Permission]:
    return _MEMBER.union(*(ROLE_PERMISSIONS.get(role, _NONE) for role in roles))


def refusal(
    asked: Requirement,
    scopes: frozenset[str] | None,
    community: Community | None = None,
    standing: Standing = NOBODY,
) -> Problem | None:
    """Why the caller may not do what asks this, or None when they may.

    `scopes` are those of the caller's token, None without one; `community` is the one they ask in, None where there
    is none of that name, and `standing` what they are in it. Neither matters to what is asked in no community.
    """
    wanted = asked.permission
    if scopes is None:
        return Unauthenticated("Send one `Authorization: Bearer` header with an access token.")
    if wanted is Permission.AUTHENTICATED:
        return None
    if wanted is Permission.OPERATE:
        return (
            None
            if OPERATE_SCOPE in scopes
            else InsufficientScope(f"This needs a token with the scope {OPERATE_SCOPE}.", OPERATE_SCOPE)
        )
    if wanted is Permission.FOUND:
        if FOUND_SCOPE in scopes or OPERATE_SCOPE in scopes:
            return None
        return InsufficientScope(f"Founding a community needs a token with the scope {FOUND_SCOPE}.", FOUND_SCOPE)
    if community is None:
        return hidden()
    permitted = permissions_of(standing)
    known = standing != NOBODY or reads(scopes, community, permitted)
    if wanted is Permission.READ:
        return None if reads(scopes, community, permitted) else hidden()
    if wanted is Permission.ACQUAINTED:
        return None if known else hidden()
    if wanted is Permission.BACKFILL:
        refused = _backfill_refusal(scopes, community, permitted)
    elif (
        wanted is Permission.JOIN
        or wanted in permitted
        or (wanted is Permission.WITHDRAW and standing != NOBODY)
        or (asked.or_operator and OPERATE_SCOPE in scopes)
    ):
        refused = None
    else:
        refused = _membership_refusal(wanted, community, standing)
    if refused is None and community.archived and not asked.even_archived:
        return Conflict("The community is archived and takes no more changes.") if known else hidden()
    return refused


def reads(scopes: frozenset[str], community: Community, permitted: frozenset[Permission]) -> bool:
    """Whether what is in a community is shown to somebody with those scopes and permissions."""
    return community.visibility == "public" or Permission.READ in permitted or OPERATE_SCOPE in scopes


def _backfill_refusal(scopes: frozenset[str], community: Community, permitted: frozenset[Permission]) -> Problem | None:
    if OPERATE_SCOPE in scopes:
        return None
    if Permission.READ not in permitted and community.visibility != "public":
        return hidden()
    if BACKFILL_SCOPE not in scopes:
        return InsufficientScope(f"A backfill needs a token with the scope {BACKFILL_SCOPE}.", BACKFILL_SCOPE)
    if Permission.ADMINISTER not in permitted:
        return Forbidden("A backfill needs the role owner or administrator in this community.")
    return None


def _membership_refusal(wanted: Permission, community: Community, standing: Standing) -> Problem:
    if standing.status == "member":
        return Forbidden(f"This needs the role {' or '.join(_roles(wanted))}.")
    if standing.status == "applicant":
        return Forbidden("Your application to this community is still pending.")
    return Forbidden("Join the community first.") if community.visibility == "public" else hidden()


def hidden() -> NotFound:
    """The same words for what is not there and for what must not be known to be."""
    return NotFound("There is no such community.")


def _roles(wanted: Permission) -> list[str]:
    """The roles that permit it, the least first."""
    return [role for role, grants in ROLE_PERMISSIONS.items() if wanted in grants]
