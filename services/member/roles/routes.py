"""Roles over HTTP: what each permits and who holds it; grant, revoke."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import Field

from services.member.communities.domain import COMMUNITY, OWNER
from services.member.membership.domain import MEMBERSHIP, membership_id
from services.member.membership.listing import display_names
from services.member.membership.member import MEMBER_EXAMPLE, MemberPath, whom
from services.member.read_models.community_list import COMMUNITY_LIST, community_list
from services.member.read_models.roster import ROSTER, profile_words, role_holder
from services.member.rights import bases, confirmed
from services.member.roles.domain import (
    GRANTERS,
    grant,
    grant_ownership,
    revoke,
    revoke_ownership,
)
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.web.access.permissions import Administrator, Contributor, Reader
from shared.web.access.policy import ROLE_PERMISSIONS, Permission
from shared.web.dependencies import Commanding, Db, fresh
from shared.web.fields import Answer

router = APIRouter(prefix="/roles", tags=["roles"])

Grantable = Literal["owner", "administrator", "moderator"]
HOLDERS = 100
"""So many holders are named beside a role; `members?role=` pages through all."""


class HolderAnswer(Answer):
    id: UUID
    display_name: str | None


class RoleAnswer(
    Answer,
    example={
        "role": "moderator",
        "permissions": ["contribute", "moderate", "read"],
        "granted_by": ["administrator", "owner"],
        "holders": 1,
        "held_by": [{"id": MEMBER_EXAMPLE["id"], "display_name": "Ada"}],
    },
):
    """A role of the community."""

    role: str
    permissions: list[Permission]
    granted_by: list[str] = Field(description="The roles whose holders may grant and revoke it; empty for `member`.")
    holders: int = Field(description="How many hold it.")
    held_by: list[HolderAnswer] = Field(
        description=f"Up to {HOLDERS} of them, by when they got it; empty for `member`."
    )


class RolesAnswer(Answer):
    items: list[RoleAnswer]
    freshness: Freshness


@router.get("", operation_id="list_roles", summary="List the roles, what they permit and who holds them")
async def list_roles(
    me: Reader, commands: Commanding, db: Db, freshness: Annotated[Freshness, fresh(COMMUNITY_LIST, ROSTER)]
) -> RolesAnswer:
    at = me.community.id
    counted = sa.select(community_list.c.members).where(community_list.c.community == at)
    items = [_role("member", (await db.execute(counted)).scalar() or 0, [])]
    for role in GRANTERS:
        held = sa.and_(present(role_holder), role_holder.c.community == at, role_holder.c.role == role)
        select = (
            sa.select(role_holder.c.member, profile_words.c.ref, sa.func.count().over().label("holders"))
            .outerjoin(
                profile_words,
                sa.and_(profile_words.c.community == at, profile_words.c.member == role_holder.c.member),
            )
            .where(held)
            .order_by(role_holder.c.since, role_holder.c.member)
            .limit(HOLDERS)
        )
        rows = (await db.execute(select)).all()
        names = await display_names(commands.vault, at, [row.ref for row in rows])
        named = [HolderAnswer(id=row.member, display_name=names.get(row.ref)) for row in rows]
        items.append(_role(role, rows[0].holders if rows else 0, named))
    items.sort(key=lambda item: -len(item.permissions))
    return RolesAnswer(items=items, freshness=freshness)


@router.put("/{role}/members/{member}", status_code=204, operation_id="grant_role", summary="Grant a role")
async def grant_role(role: Grantable, member: MemberPath, me: Administrator, commands: Commanding) -> None:
    """Owners make owners and administrators; owners and administrators make moderators."""
    at, to = me.community.id, whom(member, me)
    if role == OWNER:
        await commands.execute(
            COMMUNITY,
            at,
            lambda state, _, own, member: grant_ownership(state, to, member, confirmed(me, state, own)),
            on=bases(me, to),
            there=lambda state: to in state.owners,
        )
    else:
        await commands.execute(
            MEMBERSHIP,
            membership_id(at, to),
            lambda state, *own: grant(state, role, to, confirmed(me, *own)),
            on=bases(me),
            there=lambda state: role in state.roles,
        )


@router.delete("/{role}/members/{member}", status_code=204, operation_id="revoke_role", summary="Revoke a role")
async def revoke_role(role: Grantable, member: MemberPath, me: Contributor, commands: Commanding) -> None:
    """By whoever may grant it, or by its holder. The last owner stays one."""
    at, of = me.community.id, whom(member, me)
    if role == OWNER:
        await commands.execute(
            COMMUNITY,
            at,
            lambda state, *own: revoke_ownership(state, of, confirmed(me, *own)),
            on=bases(me),
            there=lambda state: of in state.owners,
        )
    else:
        await commands.execute(
            MEMBERSHIP,
            membership_id(at, of),
            lambda state, *own: revoke(state, role, of, confirmed(me, *own)),
            on=bases(me),
            there=lambda state: role in state.roles,
        )


def _role(role: str, holders: int, held_by: list[HolderAnswer]) -> RoleAnswer:
    return RoleAnswer(
        role=role,
        permissions=sorted(ROLE_PERMISSIONS[role]),
        granted_by=sorted(GRANTERS.get(role, ())),
        holders=holders,
        held_by=held_by,
    )
