"""Communities over HTTP: found, show, describe, archive."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field
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
    standing,
)
from services.member.membership.domain import MEMBERSHIP, Membership, join_as_founder, membership_id
from services.member.rights import bases, permitted
from shared.access.permissions import Administrator, Authenticated, Here, Permission, Reader, requires
from shared.access.standing import Admission, Visibility
from shared.commands import Outcome, Step
from shared.http.dependencies import Commanding, IfMatch, Store
from shared.http.words import Answer, Body
from shared.identity import community_id

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
}
ANSWERED: JsonDict = {
    "id": str(community_id("french-meta")),
    **EXAMPLE,
    "archived": False,
    "founded_at": "2011-08-17T19:45:00Z",
}


class Founding(Body):
    """A new community."""

    slug: Slug = Field(description="Its name in addresses, for ever.")
    name: Name
    purpose: Purpose
    language: Language = Field(description="A language tag (RFC 5646).")
    time_zone: TimeZone = Field(description="An IANA time zone; its days are the days of all metrics.")
    visibility: Visibility = Field("public", description="Who may read: everybody with a token, or members.")
    admission: Admission = Field("open", description="Whether one joins, or applies and is accepted.")

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


class Changes(Body):
    """What of a description is to change; what is left out or null stays."""

    name: Name | None = None
    purpose: Purpose | None = None
    language: Language | None = None
    time_zone: TimeZone | None = None
    visibility: Visibility | None = None
    admission: Admission | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"admission": "application"}]})


class CommunityAnswer(Answer):
    """A community as it describes itself today."""

    id: UUID
    slug: str
    name: str
    purpose: str
    language: str
    time_zone: str
    visibility: Literal["public", "members"]
    admission: Literal["open", "application"]
    archived: bool
    founded_at: datetime

    model_config = ConfigDict(json_schema_extra={"examples": [ANSWERED]})


def show(community: UUID, found: Outcome[Community], store: Store) -> CommunityAnswer:
    """A community by its stream, its version as the ETag. Raises `NotFound` for one that was never founded."""
    description = standing(found.state)
    store.tag(found.version)
    return CommunityAnswer(
        id=community,
        slug=found.state.slug,
        archived=found.state.archived,
        founded_at=found.history.began_at,
        **asdict(description),
    )


@founding.post("", status_code=201, operation_id="found_community", summary="Found a community and own it")
async def found_community(body: Founding, caller: Authenticated, store: Commanding) -> CommunityAnswer:
    """Its founder becomes its first member and its owner. The slug must be free."""
    community = community_id(body.slug)
    assert community is not None, "a slug that was checked has an id"
    founder = caller.member_in(community)
    description = Description(**body.model_dump(exclude={"slug"}))
    there, own = store.within(community), membership_id(community, founder)

    def founded_by(state: Community, membership: Membership) -> list[CommunityEvent]:
        return found(state, body.slug, description, founder, here=membership.status == "member")

    founded, _ = await there.execute_together(
        [
            Step(COMMUNITY, community, founded_by),
            Step(MEMBERSHIP, own, lambda state, _: join_as_founder(state, founder)),
        ],
        on=[(MEMBERSHIP, own)],
    )
    there.created()
    return show(community, founded, there)


@router.get("", operation_id="get_community", summary="Show a community")
async def get_community(here: Reader, store: Commanding) -> CommunityAnswer:
    return show(here.community.id, await store.load(COMMUNITY, here.community.id), store)


@router.patch("", operation_id="describe_community", summary="Change a community's description")
async def describe_community(body: Changes, here: Administrator, store: Commanding, expect: IfMatch) -> CommunityAnswer:
    """With `If-Match`, only if nobody changed it since."""
    changes = body.model_dump(exclude_none=True)

    def changed(state: Community) -> list[CommunityEvent]:
        return describe(state, replace(state.description, **changes)) if state.description else []

    described = await store.execute(
        COMMUNITY, here.community.id, permitted(here, changed), on=bases(here), expect=expect
    )
    return show(here.community.id, described, store)


@router.post("/archive", operation_id="archive_community", summary="Archive a community")
async def archive_community(
    here: Annotated[Here, Depends(requires(Permission.OWN, even_archived=True))], store: Commanding, expect: IfMatch
) -> CommunityAnswer:
    """From then on it can only be read. Its slug stays taken."""
    archived = await store.execute(
        COMMUNITY, here.community.id, permitted(here, archive), on=bases(here), expect=expect
    )
    return show(here.community.id, archived, store)
