"""The communities a caller may see: the public ones and their own.

A member id is a keyed hash of community and caller, so one's own communities are found by computing it for each:
two millionths of a second apiece, which is fine for tens of thousands of communities in one installation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from services.member.communities.description import Language
from services.member.communities.routes import ANSWERED, CommunityAnswer
from services.member.membership.domain import Status
from services.member.views.community_list import COMMUNITY_LIST, community_list
from services.member.views.roster import ROSTER, roster
from shared.access.permissions import Authenticated, Caller
from shared.http.dependencies import Db, fresh
from shared.http.paging import Listing, Page, page
from shared.http.reading import Reading
from shared.views.freshness import Freshness
from shared.views.view import present

router = APIRouter(prefix="/v1/communities", tags=["communities"])

listed = community_list.c


class CommunityListed(CommunityAnswer):
    """A community in the list, and what the caller is in it."""

    members: int = Field(description="How many are members now.")
    my_status: Status

    model_config = ConfigDict(json_schema_extra={"examples": [{**ANSWERED, "members": 812, "my_status": "member"}]})


@router.get("", operation_id="list_communities", summary="List the communities one may see")
async def list_communities(
    caller: Authenticated,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(COMMUNITY_LIST, ROSTER)],
    language: Annotated[Language | None, Query(description="Only those in this language.")] = None,
    mine: Annotated[bool, Query(description="Only those the caller is a member of.")] = False,
) -> Listing[CommunityListed]:
    """Public ones and those one is a member of, by slug; archived ones, too."""
    candidates = sa.select(listed.community).where(present(community_list))
    if not mine:
        candidates = candidates.where(listed.visibility != "public")
    own = [
        community
        for community, status in (await _statuses(db, caller, (await db.execute(candidates)).scalars())).items()
        if status == "member"
    ]
    visible = listed.community == sa.any_(sa.literal(own, ARRAY(PG_UUID)))
    if not mine:
        visible = sa.or_(listed.visibility == "public", visible)
    select = sa.select(community_list).where(present(community_list), visible)
    if language is not None:
        select = select.where(listed.language == language)

    rows, following = await page(db, select, [(listed.slug, "asc")], paging)
    statuses = await _statuses(db, caller, [row.community for row in rows])
    items = [
        CommunityListed.model_validate(
            {"id": row.community, "my_status": statuses.get(row.community, "none"), **row._asdict()}
        )
        for row in rows
    ]
    return Listing(items=items, next=following, freshness=freshness)


async def _statuses(db: Reading, caller: Caller, communities: Iterable[UUID]) -> dict[UUID, Status]:
    """What the caller is in each of those communities, where they are anything."""
    known = list(communities)
    ids = (
        sa.func.unnest(
            sa.literal(known, ARRAY(PG_UUID)),
            sa.literal([caller.member_in(community) for community in known], ARRAY(PG_UUID)),
        )
        .table_valued(sa.column("community", PG_UUID), sa.column("member", PG_UUID), name="mine")
        .render_derived()
    )
    select = sa.select(roster.c.community, roster.c.status).join(
        ids, sa.and_(roster.c.community == ids.c.community, roster.c.member == ids.c.member)
    )
    return {row.community: row.status for row in await db.execute(select.where(present(roster)))}
