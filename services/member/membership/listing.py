"""The roster over HTTP: members by role and status, the newest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query

from services.member.membership.member import MemberListed, ranked
from services.member.read_models.roster import ROSTER, profile_words, role_holder, roster
from shared.events.errors import Forbidden
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.vault import Vault
from shared.web.access.permissions import Reader
from shared.web.access.policy import Permission
from shared.web.dependencies import Commanding, Db, fresh
from shared.web.paging import Listing, Page, SortOrder, page
from shared.web.queries import Queries

IS_ROBOT = sa.func.coalesce(roster.c.robot, sa.false())

router = APIRouter(prefix="/members", tags=["members"])


@router.get("", operation_id="list_members", summary="List the members of a community")
async def list_members(
    me: Reader,
    commands: Commanding,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(ROSTER)],
    role: Annotated[
        Literal["owner", "administrator", "moderator", "member"] | None, Query(description="Only who holds it.")
    ] = None,
    status: Annotated[
        Literal["member", "applicant", "withdrawn", "declined", "expired", "left", "removed"],
        Query(description="All but `member` are for moderators."),
    ] = "member",
    robot: Annotated[bool | None, Query(description="Only robots, or only others.")] = None,
) -> Listing[MemberListed]:
    """The newest first: by when their status began."""
    if status != "member" and Permission.MODERATE not in me.permissions:
        raise Forbidden("Only moderators see who has applied, and who is not here any more.")
    at = me.community.id
    select = (
        sa.select(
            roster.c.member,
            roster.c.status,
            roster.c.since,
            IS_ROBOT.label("robot"),
            roster.c.imported_by,
            profile_words.c.ref,
        )
        .outerjoin(
            profile_words,
            sa.and_(profile_words.c.community == roster.c.community, profile_words.c.member == roster.c.member),
        )
        .where(present(roster), roster.c.community == at, roster.c.status == status)
    )
    if robot is not None:
        select = select.where(roster.c.robot if robot else sa.not_(IS_ROBOT))
    if role not in (None, "member"):
        select = select.join(
            role_holder,
            sa.and_(
                role_holder.c.community == roster.c.community,
                role_holder.c.member == roster.c.member,
                role_holder.c.role == role,
                present(role_holder),
            ),
        )
    newest: SortOrder = [(roster.c.since, "desc"), (roster.c.member, "desc")]
    rows, following = await page(db, select, newest, paging, [profile_words.c.ref])
    roles = await roles_of(db, at, [row.member for row in rows])
    names = await display_names(commands.vault, at, [row.ref for row in rows])
    items = [
        MemberListed(
            id=row.member,
            status=row.status,
            status_since=row.since,
            roles=ranked(roles[row.member], row.status),
            display_name=names.get(row.ref),
            robot=row.robot,
            imported_by=row.imported_by,
        )
        for row in rows
    ]
    return Listing(items=items, next=following, freshness=freshness)


async def roles_of(db: Queries, community: UUID, members: Sequence[UUID]) -> dict[UUID, set[str]]:
    """The roles that those members were granted."""
    found = await db.execute(
        sa.select(role_holder.c.member, role_holder.c.role).where(
            present(role_holder), role_holder.c.community == community, role_holder.c.member.in_(members)
        )
    )
    roles: dict[UUID, set[str]] = defaultdict(set)
    for row in found:
        roles[row.member].add(row.role)
    return roles


async def display_names(vault: Vault, community: UUID, refs: Sequence[UUID | None]) -> dict[UUID | None, str]:
    """The display names in those profiles, by the profile's reference; none for who has none or was erased."""
    profiles = await vault.read(community, [ref for ref in refs if ref is not None])
    return {ref: profile["display_name"] for ref, profile in profiles.items() if profile.get("display_name")}


async def holders_of(db: Queries, community: UUID, *, but: UUID) -> list[UUID]:
    """All others who hold a role that is granted, as the roster has them."""
    held = sa.and_(present(role_holder), role_holder.c.community == community, role_holder.c.member != but)
    return list((await db.execute(sa.select(role_holder.c.member).where(held).distinct())).scalars())
