"""Every operation declares one permission; who the caller is, and what that permits here, is decided in one place.

Reading a public community needs only a token. A community for members answers outsiders as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from shared.access.directory import Community, Standing
from shared.errors import Conflict, Forbidden, NotFound, Unauthenticated
from shared.http import context
from shared.identity import Caller, community_id, member_id

__all__ = [
    "ROLE_PERMISSIONS",
    "Administrator",
    "Authenticated",
    "Caller",
    "Community",
    "Contributor",
    "Here",
    "Moderator",
    "Newcomer",
    "Operator",
    "Owner",
    "Permission",
    "Reader",
    "Requires",
    "community_id",
    "declared",
    "member_id",
    "requires",
    "undeclared",
]


class Permission(StrEnum):
    """What an operation asks of its caller. The first three ask nothing of a membership."""

    AUTHENTICATED = "authenticated"  # a token, no community
    JOIN = "join"  # a token and a community that exists, be it one for members only
    OPERATE = "operate"  # a token of the installation's operator
    READ = "read"
    CONTRIBUTE = "contribute"
    MODERATE = "moderate"
    ADMINISTER = "administer"
    OWN = "own"
    BACKFILL = "backfill"


_MEMBER = frozenset({Permission.READ, Permission.CONTRIBUTE})
_MODERATOR = _MEMBER | {Permission.MODERATE}
_ADMINISTRATOR = _MODERATOR | {Permission.ADMINISTER}

ROLE_PERMISSIONS: Final[Mapping[str, frozenset[Permission]]] = {
    "member": _MEMBER,
    "moderator": _MODERATOR,
    "administrator": _ADMINISTRATOR,
    "owner": _ADMINISTRATOR | {Permission.OWN},
}
"""The policy: what each role permits. `member` is what everybody has who has joined."""

BACKFILL_SCOPE = "guildhall:backfill"
OPERATE_SCOPE = "guildhall:operate"


@dataclass(frozen=True, slots=True)
class Here:
    """The caller in the community of the path. `id` is the member id, which outsiders have too."""

    caller: Caller
    community: Community
    id: UUID
    status: str  # member, applicant, left, declined or none
    roles: frozenset[str]
    permissions: frozenset[Permission]


class _Bearer(HTTPBearer):
    """A dependency: the caller, by the bearer token of the request. Raises `Unauthenticated`."""

    async def __call__(self, request: Request) -> Caller:  # type: ignore[override]
        given = request.headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("Send one `Authorization: Bearer` header with an access token.")
        caller = await context.runtime_of(request).tokens.verify(token.strip())
        context.of(request).caller = caller
        return caller


authenticate = _Bearer(
    bearerFormat="JWT",
    scheme_name="token",
    description="An OIDC access token (RFC 9068) of the installation's issuer.",
)


@dataclass(frozen=True)
class Requires:
    """A dependency that lets the caller pass or raises; tests find it on the route by its class.

    `even_archived` is for the few operations that an archived community, otherwise read-only, still takes.
    """

    permission: Permission
    even_archived: bool = False

    async def __call__(
        self,
        request: Request,
        caller: Annotated[Caller, Depends(authenticate)],
        community: Annotated[
            str, Path(description="A community: its id or its slug.", examples=["french-meta"], max_length=63)
        ],
    ) -> Here:
        asked = context.of(request)
        wanted = community_id(community)
        if wanted is None:
            raise NotFound("There is no such community.")
        member = caller.member_in(wanted)
        found = await context.runtime_of(request).directory.look_up(
            wanted,
            member,
            lambda known, standing: self._refusal(caller, known, standing) is None,
            arrived=asked.arrived,
        )
        if found is None:
            raise NotFound("There is no such community.")
        known, standing = found
        if (refusal := self._refusal(caller, known, standing)) is not None:
            raise refusal
        here = Here(caller, known, member, standing.status, standing.roles, permissions_of(standing))
        asked.here = here
        return here

    def _refusal(self, caller: Caller, community: Community, standing: Standing) -> Exception | None:
        """Why the caller may not, or None when they may."""
        permitted = permissions_of(standing)
        operator = OPERATE_SCOPE in caller.scopes
        wanted = self.permission
        if wanted is Permission.READ:
            if community.visibility == "public" or wanted in permitted or operator:
                return None
            return NotFound("There is no such community.")
        if wanted is Permission.BACKFILL:
            refusal = self._backfill_refusal(caller, community, permitted, operator=operator)
        elif wanted is Permission.JOIN:
            refusal = None
        else:
            refusal = _membership_refusal(wanted, community, standing, permitted)
        if refusal is None and community.archived and not self.even_archived:
            return Conflict("The community is archived and takes no more changes.")
        return refusal

    def _backfill_refusal(
        self, caller: Caller, community: Community, permitted: frozenset[Permission], *, operator: bool
    ) -> Exception | None:
        if operator:
            return None
        if Permission.READ not in permitted and community.visibility != "public":
            return NotFound("There is no such community.")
        if BACKFILL_SCOPE not in caller.scopes:
            return Forbidden(f"A backfill needs a token with the scope {BACKFILL_SCOPE}.")
        if Permission.ADMINISTER not in permitted:
            return Forbidden("A backfill needs the role owner or administrator in this community.")
        return None


def _membership_refusal(
    wanted: Permission, community: Community, standing: Standing, permitted: frozenset[Permission]
) -> Exception | None:
    if wanted in permitted:
        return None
    if standing.status == "member":
        roles = " or ".join(role for role, grants in ROLE_PERMISSIONS.items() if wanted in grants)
        return Forbidden(f"This needs the role {roles}.")
    if standing.status == "applicant":
        return Forbidden("Your application to this community is still pending.")
    if community.visibility != "public":
        return NotFound("There is no such community.")
    return Forbidden("Join the community first.")


def permissions_of(standing: Standing) -> frozenset[Permission]:
    """What membership and roles permit together; roles of somebody who is no member permit nothing."""
    if standing.status != "member":
        return frozenset()
    return _MEMBER.union(*(ROLE_PERMISSIONS.get(role, frozenset()) for role in standing.roles))


def requires(permission: Permission, *, even_archived: bool = False) -> Requires:
    """`Annotated[Here, Depends(requires(Permission.READ))]`: the caller here, if they may."""
    return Requires(permission, even_archived)


@dataclass(frozen=True)
class RequiresToken:
    """A dependency for operations outside any community: a token, and a scope where `permission` is OPERATE."""

    permission: Permission = Permission.AUTHENTICATED

    async def __call__(self, caller: Annotated[Caller, Depends(authenticate)]) -> Caller:
        if self.permission is Permission.OPERATE and OPERATE_SCOPE not in caller.scopes:
            raise Forbidden(f"This needs a token with the scope {OPERATE_SCOPE}.")
        return caller


Authenticated = Annotated[Caller, Depends(RequiresToken())]
Operator = Annotated[Caller, Depends(RequiresToken(Permission.OPERATE))]
Newcomer = Annotated[Here, Depends(requires(Permission.JOIN))]
Reader = Annotated[Here, Depends(requires(Permission.READ))]
Contributor = Annotated[Here, Depends(requires(Permission.CONTRIBUTE))]
Moderator = Annotated[Here, Depends(requires(Permission.MODERATE))]
Administrator = Annotated[Here, Depends(requires(Permission.ADMINISTER))]
Owner = Annotated[Here, Depends(requires(Permission.OWN))]


def declared(route: APIRoute) -> frozenset[Permission]:
    """The permissions that a route declares by its dependencies."""
    return frozenset(_permissions(route.dependant))


def _permissions(dependant: Dependant) -> Iterable[Permission]:
    if isinstance(dependant.call, (Requires, RequiresToken)):
        yield dependant.call.permission
    for inner in dependant.dependencies:
        yield from _permissions(inner)


def undeclared(routers: Iterable[APIRouter]) -> list[str]:
    """The operations, as `METHOD path`, that do not declare exactly one permission; a service with one won't start."""
    return [
        f"{method} {route.path}"
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and len(declared(route)) != 1
        for method in sorted(route.methods or ())
    ]
