"""Every operation declares one permission, by a dependency that gathers who asks and where; `policy.py` decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from shared.events.errors import NotFound
from shared.events.identity import Caller, community_id
from shared.replicas.standing import NOBODY, Community
from shared.web import after, context
from shared.web.access.policy import (
    PERMISSION_LEGEND,
    Permission,
    Requirement,
    hidden,
    permissions_of,
    reads,
    refusal,
)
from shared.web.entrance import enter

_TOKEN = Requirement(Permission.AUTHENTICATED)


@dataclass(frozen=True, slots=True)
class CallerInCommunity:
    """The caller in the community of the path. `id` is the member id, which outsiders have too.

    `asked` is what the route asks, and found true a moment ago; what writes about rights asks it again of the log.
    """

    caller: Caller
    community: Community
    id: UUID
    status: str  # as in `Standing`
    roles: frozenset[str]
    permissions: frozenset[Permission]
    asked: Requirement

    @property
    def hidden(self) -> NotFound | None:
        """What is told of whatever goes wrong to who is nothing in a community that is not shown to them."""
        return hidden() if self.status == NOBODY.status and not self.reads else None

    @property
    def reads(self) -> bool:
        """Whether what others wrote here is shown to the caller."""
        return reads(self.caller.scopes, self.community, self.permissions)


class _Bearer(HTTPBearer):
    """A dependency: the caller, by the bearer token of the request. Raises `Unauthenticated`."""

    async def __call__(self, request: Request) -> Caller:  # type: ignore[override]
        given = request.headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        caller = None
        if scheme.lower() == "bearer" and token.strip():
            caller = await context.runtime_of(request).tokens.verify(token.strip())
        if (refused := refusal(_TOKEN, None if caller is None else caller.scopes)) is not None:
            raise refused
        assert caller is not None
        context.of(request).caller = caller
        return caller


authenticate = _Bearer(
    bearerFormat="JWT",
    scheme_name="token",
    description=f"An OIDC access token (RFC 9068) of the installation's issuer. {PERMISSION_LEGEND}",
)


@dataclass(frozen=True)
class Requires:
    """A dependency that lets the caller pass into the community of the path, or raises; `declared` finds it."""

    requirement: Requirement

    def __post_init__(self) -> None:
        if not self.requirement.in_community:
            raise TypeError(f"{self.requirement.permission} is asked in no community: declare it by RequiresToken.")

    async def __call__(
        self,
        request: Request,
        caller: Annotated[Caller, Depends(authenticate)],
        community: Annotated[
            str, Path(description="A community: its id or its slug.", examples=["french-meta"], max_length=63)
        ],
    ) -> CallerInCommunity:
        await enter(request)
        asked = context.of(request)
        wanted = community_id(community)
        found = None
        if wanted is not None:
            found = await context.runtime_of(request).directory.look_up(
                wanted,
                caller.member_in(wanted),
                lambda known, standing: refusal(self.requirement, caller.scopes, known, standing) is None,
                caller=caller,
                arrived=asked.arrived,
                anew=after.asked(request),
            )
        known, standing = found or (None, NOBODY)
        if (refused := refusal(self.requirement, caller.scopes, known, standing)) is not None:
            raise refused
        assert known is not None
        member = caller.member_in(known.id)
        permitted = permissions_of(standing)
        me = CallerInCommunity(caller, known, member, standing.status, standing.roles, permitted, self.requirement)
        asked.me = me
        return me


def requires(permission: Permission, *, even_archived: bool = False, or_operator: bool = False) -> Requires:
    """`Annotated[Here, Depends(requires(Permission.READ))]`: the caller here, if they may."""
    return Requires(Requirement(permission, even_archived, or_operator))


@dataclass(frozen=True)
class RequiresToken:
    """A dependency for operations outside any community: lets the caller pass for their token, or raises."""

    requirement: Requirement = _TOKEN

    def __post_init__(self) -> None:
        if self.requirement.in_community:
            raise TypeError(f"{self.requirement.permission} is asked in a community: declare it by Requires.")

    async def __call__(self, request: Request, caller: Annotated[Caller, Depends(authenticate)]) -> Caller:
        await enter(request)
        if (refused := refusal(self.requirement, caller.scopes)) is not None:
            raise refused
        return caller


Authenticated = Annotated[Caller, Depends(RequiresToken())]
Founder = Annotated[Caller, Depends(RequiresToken(Requirement(Permission.FOUND)))]
Operator = Annotated[Caller, Depends(RequiresToken(Requirement(Permission.OPERATE)))]
Newcomer = Annotated[CallerInCommunity, Depends(requires(Permission.JOIN))]
Acquainted = Annotated[CallerInCommunity, Depends(requires(Permission.ACQUAINTED))]
"""Applicants and those who have left look at themselves and go also where only members may read."""
Participant = Annotated[CallerInCommunity, Depends(requires(Permission.WITHDRAW, even_archived=True))]
"""For taking away what is one's own: an archived community stands still, and still keeps nobody's words from them."""
Reader = Annotated[CallerInCommunity, Depends(requires(Permission.READ))]
Contributor = Annotated[CallerInCommunity, Depends(requires(Permission.CONTRIBUTE))]
Moderator = Annotated[CallerInCommunity, Depends(requires(Permission.MODERATE))]
Administrator = Annotated[CallerInCommunity, Depends(requires(Permission.ADMINISTER))]
Owner = Annotated[CallerInCommunity, Depends(requires(Permission.OWN))]


def declared(route: APIRoute) -> frozenset[Requirement]:
    """What a route asks of its caller, as its dependencies declare it."""
    return frozenset(_requirements(route.dependant))


def describe_permission(route: APIRoute) -> Mapping[str, object]:
    """The same as the API document tells it. Raises `ValueError` for a route that does not declare exactly one."""
    requirements = declared(route)
    if len(requirements) != 1:
        raise ValueError(f"{route.path} does not declare exactly one permission.")
    return next(iter(requirements)).described()


def _requirements(dependant: Dependant) -> Iterable[Requirement]:
    if isinstance(dependant.call, (Requires, RequiresToken)):
        yield dependant.call.requirement
    for inner in dependant.dependencies:
        yield from _requirements(inner)


def undeclared(routers: Iterable[APIRouter]) -> list[str]:
    """The operations, as `METHOD path`, that do not declare exactly one permission; a service with one won't start."""
    return [
        f"{method} {route.path}"
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and len(declared(route)) != 1
        for method in sorted(route.methods or ())
    ]
