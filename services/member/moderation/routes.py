"""What those above do to a member over HTTP: remove them, mark them as a robot."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import ConfigDict

from services.member.communities.domain import Community
from services.member.membership.domain import (
    MEMBERSHIP,
    Membership,
    MembershipEvent,
    mark_robot,
    membership_id,
    unmark_robot,
)
from services.member.membership.member import MEMBER_EXAMPLE, MemberPath, whom
from services.member.rights import bases, confirmed, permitted
from services.member.roles.domain import holder, remove
from shared.access.permissions import Administrator, Moderator
from shared.errors import Forbidden
from shared.http.dependencies import Commanding, IfMatch
from shared.http.wording import refer
from shared.http.words import Body, words

router = APIRouter(prefix="/members", tags=["members"])


class Removing(Body):
    reason: Annotated[str, words(2_000)] | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Advertising, in spite of two warnings."}]})


@router.delete("/{member}", status_code=204, operation_id="remove_member", summary="Remove a member")
async def remove_member(
    member: Annotated[UUID, Path(description="A member's id.", examples=[MEMBER_EXAMPLE["id"]])],
    here: Moderator,
    store: Commanding,
    expect: IfMatch,
    body: Removing | None = None,
) -> None:
    """Who stands below: moderators remove members, administrators moderators besides, owners all but owners.

    The roles end with it. The reason is shown to the member and to moderators. Who was removed may apply to come back,
    also where the community is open.
    """
    if member == here.id:
        raise Forbidden("Nobody removes themselves. Leave instead.")
    at, reason = here.community.id, body.reason if body else None
    text, secrets = await refer(
        store.vault, at, member, {"reason": reason} if reason else None, len(reason or ""), None
    )

    def removed(state: Membership, community: Community, own: Membership) -> list[MembershipEvent]:
        return remove(state, holder(member, community, state), text, confirmed(here, community, own))

    await store.execute(MEMBERSHIP, membership_id(at, member), removed, on=bases(here), secrets=secrets, expect=expect)


@router.put("/{member}/robot", status_code=204, operation_id="mark_robot", summary="Mark a member as a robot")
async def put_robot(member: MemberPath, here: Administrator, store: Commanding, expect: IfMatch) -> None:
    """The account is a program's, also for the time before: it is in no ranking, no active members, no reach."""
    of = whom(member, here)
    marked = permitted(here, lambda state: mark_robot(state, of))
    await store.execute(MEMBERSHIP, membership_id(here.community.id, of), marked, on=bases(here), expect=expect)


@router.delete("/{member}/robot", status_code=204, operation_id="unmark_robot", summary="Take the mark of a robot away")
async def delete_robot(member: MemberPath, here: Administrator, store: Commanding, expect: IfMatch) -> None:
    """The mark was an error, also for the time before."""
    of = whom(member, here)
    unmarked = permitted(here, lambda state: unmark_robot(state, of))
    await store.execute(MEMBERSHIP, membership_id(here.community.id, of), unmarked, on=bases(here), expect=expect)
