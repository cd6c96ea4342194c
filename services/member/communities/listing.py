"""The communities a caller may see: the public ones, by their index, and their own, which the vault knows (own.py)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from services.member.communities.description import Language
from services.member.communities.own import communities_of
from services.member.communities.routes import ANSWERED, CommunityAnswer
from services.member.membership.domain import Status
from services.member.read_models.community_list import COMMUNITY_LIST, community_list
from services.member.read_models.roster import ROSTER, roster
from shared.events.identity import Caller
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.web.access.permissions import Authenticated
from shared.web.dependencies import Db, fresh
from shared.web.paging import Listing, Page, page
from shared.web.queries import Queries

router = APIRouter(prefix="/v1/communities", tags=["communities"])

listed = community_list.c


class CommunityListed(CommunityAnswer, example={**ANSWERED, "members": 812, "my_status": "member"}):
    """A community in the list, and what the caller is in it."""

    members: int = Field(description="How many are members now.")
    my_status: Status


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
    known = await _statuses(db, caller, await communities_of(db, caller))
    own = [community for community, status in known.items() if status == "member"]
    theirs = _described(language).where(listed.community == sa.any_(sa.literal(own, ARRAY(PG_UUID))))
    public = _described(language).where(listed.visibility == "public")
    visible = [theirs] if mine else [public, theirs.where(listed.visibility != "public")]

    words = [listed.name, listed.purpose]
    rows, following = await page(db, visible, [(listed.slug, "asc")], paging, words)
    statuses = await _statuses(db, caller, [row.community for row in rows])
    items = [
        CommunityListed.model_validate(
            {
                "id": row.community,
                "my_status": statuses.get(row.community, "none"),
                **row._asdict(),
                "application_days": row.application_days or 0,
            }
        )
        for row in rows
    ]
    return Listing(items=items, next=following, freshness=freshness)


def _described(language: str | None) -> sa.Select[Any]:
    """Communities that are there, in that language if one is given."""
    select = sa.select(community_list).where(present(community_list))
    return select if language is None else select.where(listed.language == language)


async def _statuses(db: Queries, caller: Caller, communities: Iterable[UUID]) -> dict[UUID, Status]:
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
