"""The roster over HTTP: members by role and status, the newest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query

from services.member.membership.member import HIDDEN, MemberListed, knows, ranked
from services.member.views.roster import ROSTER, profile_words, role_holder, roster
from shared.access.permissions import Permission, Reader
from shared.errors import Forbidden
from shared.http.dependencies import Commanding, Db, fresh
from shared.http.paging import Listing, Page, page
from shared.http.reading import Reading
from shared.vault import Vault
from shared.views.freshness import Freshness
from shared.views.view import present

IS_ROBOT = sa.func.coalesce(roster.c.robot, sa.false())

router = APIRouter(prefix="/members", tags=["members"])


@router.get("", operation_id="list_members", summary="List the members of a community")
async def list_members(
    here: Reader,
    store: Commanding,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(ROSTER)],
    role: Annotated[
        Literal["owner", "administrator", "moderator", "member"] | None, Query(description="Only who holds it.")
    ] = None,
    status: Annotated[
        Literal["member", "applicant", "withdrawn", "declined", "left", "removed"],
        Query(description="`applicant`, `withdrawn` and `declined` are for moderators."),
    ] = "member",
    robot: Annotated[bool | None, Query(description="Only robots, or only others.")] = None,
) -> Listing[MemberListed]:
    """The newest first: by when their status began."""
    if status in HIDDEN and Permission.MODERATE not in here.permissions:
        raise Forbidden("Only moderators see who has applied.")
    at = here.community.id
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
        select = select.where(IS_ROBOT.is_(robot))
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
    rows, following = await page(db, select, [(roster.c.since, "desc"), (roster.c.member, "desc")], paging)
    roles = await roles_of(db, at, [row.member for row in rows])
    shown = [row.ref for row in rows if status == "member" or knows(row.member, here)]
    names = await display_names(store.vault, at, shown)
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


async def roles_of(db: Reading, community: UUID, members: Sequence[UUID]) -> dict[UUID, set[str]]:
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


async def holders_names(db: Reading, vault: Vault, community: UUID, *, but: UUID) -> list[str]:
    """The display names of all others who hold a role that is granted."""
    held = sa.and_(present(role_holder), role_holder.c.community == community, role_holder.c.member != but)
    refs = await db.execute(
        sa.select(profile_words.c.ref)
        .join(
            role_holder,
            sa.and_(
                role_holder.c.community == profile_words.c.community, role_holder.c.member == profile_words.c.member
            ),
        )
        .where(held)
        .distinct()
    )
    return list((await display_names(vault, community, refs.scalars().all())).values())
