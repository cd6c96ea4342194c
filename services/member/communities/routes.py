"""Communities over HTTP: found, show, describe, archive."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from pydantic.config import JsonDict

from services.member.communities.description import Language, Name, Purpose, Slug, TimeZone
from services.member.communities.domain import (
    COMMUNITY,
    Community,
    CommunityEvent,
    Description,
    archive,
    describe,
    found,
)
from services.member.communities.own import came
from services.member.membership.domain import MEMBERSHIP, Membership, is_member, join_as_founder, membership_id
from services.member.rights import bases, permitted
from shared.commands.decisions import StreamDecision
from shared.commands.outcome import Outcome
from shared.events.identity import community_id
from shared.replicas.standing import Admission, Visibility
from shared.web import context
from shared.web.access.permissions import Administrator, CallerInCommunity, Founder, Reader, requires
from shared.web.access.policy import Permission
from shared.web.dependencies import Commanding, IfMatch
from shared.web.fields import Answer, Body, Whole
from shared.web.quota import FOUNDINGS, Quota, used_up
from shared.web.request_commands import RequestCommands

founding = APIRouter(prefix="/v1/communities", tags=["communities"])
router = APIRouter(tags=["communities"])

EXAMPLE: JsonDict = {
    "slug": "french-meta",
    "name": "French Meta",
    "purpose": "Talk about how the community for French works",
    "language": "fr",
    "time_zone": "Europe/Paris",
    "visibility": "public",
    "admission": "open",
    "application_days": 0,
}
ANSWERED: JsonDict = {
    "id": str(community_id("french-meta")),
    **EXAMPLE,
    "archived": False,
    "founded_at": "2011-08-17T19:45:00Z",
}


class Founding(Body, example=EXAMPLE):
    """A new community."""

    slug: Slug = Field(description="Its name in addresses, for ever.")
    name: Name
    purpose: Purpose
    language: Language = Field(description="A language tag (RFC 5646).")
    time_zone: TimeZone = Field(description="An IANA time zone; its days are the days of all metrics.")
    visibility: Visibility = Field("public", description="Who may read: everybody with a token, or members.")
    admission: Admission | None = Field(
        None,
        description="Whether one joins, or applies and is accepted. Without it, `open` where everybody reads, and "
        "`application` where members do: else who knows the slug lets themselves in.",
    )
    application_days: Whole = Field(
        0, ge=0, le=365, description="Days after which an application that nobody decided expires; 0: it does not."
    )


class Changes(Body, example={"admission": "application"}):
    """What of a description is to change; what is left out or null stays."""

    name: Name | None = None
    purpose: Purpose | None = None
    language: Language | None = None
    time_zone: TimeZone | None = None
    visibility: Visibility | None = None
    admission: Admission | None = Field(
        None, description="Without it, what was for everybody and becomes for members is entered by application."
    )
    application_days: Whole | None = Field(
        None, ge=0, le=365, description="For applications from now on; 0: they do not expire."
    )


class CommunityAnswer(Answer, example=ANSWERED):
    """A community as it describes itself today."""

    id: UUID
    slug: str
    name: str
    purpose: str
    language: str
    time_zone: str
    visibility: Literal["public", "members"]
    admission: Literal["open", "application"]
    application_days: int = Field(description="Days after which an application that nobody decided expires; 0: never.")
    archived: bool
    founded_at: datetime


def show(community: UUID, found: Outcome[Community], commands: RequestCommands) -> CommunityAnswer:
    """A community by its stream, its version as the ETag."""
    commands.tag(found.version)
    return CommunityAnswer(
        id=community,
        slug=found.state.slug,
        archived=found.state.archived,
        founded_at=found.state.founded_at,
        **asdict(found.state.description),
    )


@founding.post("", status_code=201, operation_id="found_community", summary="Found a community and own it")
async def found_community(body: Founding, caller: Founder, commands: Commanding, request: Request) -> CommunityAnswer:
    """Its founder becomes its first member and its owner. The slug must be free.

    Needs the scope `guildhall:found` or `guildhall:operate`. A caller founds a limited number a day (429 beyond it,
    until the next day of UTC); a founding that is repeated is none, and operators found any number.
    """
    community = community_id(body.slug)
    assert community is not None, "a slug that was checked has an id"
    founder = caller.member_in(community)
    admission = body.admission or ("open" if body.visibility == "public" else "application")
    description = Description(**body.model_dump(exclude={"slug", "admission"}), admission=admission)
    there, own = commands.within(community), membership_id(community, founder)

    def founded_by(state: Community | None, membership: Membership | None) -> list[CommunityEvent]:
        return found(state, body.slug, description, founder, founder_is_member=is_member(membership))

    runtime = context.runtime_of(request)
    async with Quota(runtime.engine, caller, FOUNDINGS, most := runtime.settings.foundings) as quota:
        free = not (await there.load(COMMUNITY, community)).version
        if free and not await quota.reserve():
            raise used_up(
                f"You have founded {most:,} communities today, as many as one may a day. Go on tomorrow (UTC)."
            )
        founded, _ = await there.execute_together(
            [
                StreamDecision(COMMUNITY, community, founded_by),
                StreamDecision(MEMBERSHIP, own, lambda state, _: join_as_founder(state, founder)),
            ],
            on=[(MEMBERSHIP, own)],
            secrets=[came(community, founder, caller)],
        )
        if founded.begun:
            quota.use()
    there.created()
    return show(community, founded, there)


@router.get("", operation_id="get_community", summary="Show a community")
async def get_community(me: Reader, commands: Commanding) -> CommunityAnswer:
    return show(me.community.id, await commands.get(COMMUNITY, me.community.id), commands)


@router.patch("", operation_id="describe_community", summary="Change a community's description")
async def describe_community(
    body: Changes, me: Administrator, commands: Commanding, expect: IfMatch
) -> CommunityAnswer:
    """With `If-Match`, only if nobody changed it since."""
    changes = body.model_dump(exclude_none=True)

    def changed(state: Community) -> list[CommunityEvent]:
        closes = body.visibility == "members" != state.description.visibility
        return describe(state, replace(state.description, **({"admission": "application"} if closes else {}) | changes))

    described = await commands.change(COMMUNITY, me.community.id, permitted(me, changed), on=bases(me), expect=expect)
    return show(me.community.id, described, commands)


@router.post("/archive", operation_id="archive_community", summary="Archive a community")
async def archive_community(
    me: Annotated[CallerInCommunity, Depends(requires(Permission.OWN, even_archived=True))],
    commands: Commanding,
    expect: IfMatch,
) -> CommunityAnswer:
    """From then on it can only be read. Its slug stays taken."""
    archived = await commands.change(COMMUNITY, me.community.id, permitted(me, archive), on=bases(me), expect=expect)
    return show(me.community.id, archived, commands)
