"""What those above do to a member over HTTP: remove them, mark them as a robot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

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
from services.member.rights import bases, confirmed
from services.member.roles.domain import holder, must_stand_above, remove
from shared.events.errors import Forbidden
from shared.web.access.permissions import Administrator, CallerInCommunity, Moderator
from shared.web.dependencies import Commanding, IfMatch
from shared.web.fields import Body, words
from shared.web.vault_text import refer

router = APIRouter(prefix="/members", tags=["members"])


class Removing(Body, example={"reason": "Advertising, in spite of two warnings."}):
    reason: Annotated[str, words(2_000)] | None = None


@router.delete("/{member}", status_code=204, operation_id="remove_member", summary="Remove a member")
async def remove_member(
    member: Annotated[UUID, Path(description="A member's id.", examples=[MEMBER_EXAMPLE["id"]])],
    me: Moderator,
    commands: Commanding,
    expect: IfMatch,
    body: Removing | None = None,
) -> None:
    """Who stands below: moderators remove members, administrators moderators besides, owners all but owners.

    The roles end with it. The reason is shown to the member and to moderators. Who was removed may apply to come back,
    also where the community is open.
    """
    if member == me.id:
        raise Forbidden("Nobody removes themselves. Leave instead.")
    at, reason = me.community.id, body.reason if body else None
    text, secrets = await refer(
        commands.vault, at, member, {"reason": reason} if reason else None, len(reason or ""), None
    )

    def removed(state: Membership | None, community: Community, own: Membership | None) -> list[MembershipEvent]:
        return remove(state, holder(member, community, state), text, confirmed(me, community, own))

    await commands.execute(MEMBERSHIP, membership_id(at, member), removed, on=bases(me), secrets=secrets, expect=expect)


def _about(
    of: UUID, me: CallerInCommunity, decide: Callable[[Membership], list[MembershipEvent]]
) -> Callable[[Membership | None, Community, Membership | None], list[MembershipEvent]]:
    """The decision on a membership for who may, and stands above whose it is."""

    def decided(state: Membership | None, community: Community, own: Membership | None) -> list[MembershipEvent]:
        by = confirmed(me, community, own)
        events = decide(MEMBERSHIP.existing(state))
        must_stand_above(by, holder(of, community, state))
        return events

    return decided


@router.put("/{member}/robot", status_code=204, operation_id="mark_robot", summary="Mark a member as a robot")
async def put_robot(member: MemberPath, me: Administrator, commands: Commanding, expect: IfMatch) -> None:
    """The account is a program's, also for the time before: it is in no ranking, no active members, no reach.

    One's own, or that of somebody who stands below.
    """
    of = whom(member, me)
    marked = _about(of, me, lambda state: mark_robot(state, of))
    await commands.execute(MEMBERSHIP, membership_id(me.community.id, of), marked, on=bases(me), expect=expect)


@router.delete("/{member}/robot", status_code=204, operation_id="unmark_robot", summary="Take the mark of a robot away")
async def delete_robot(member: MemberPath, me: Administrator, commands: Commanding, expect: IfMatch) -> None:
    """The mark was an error, also for the time before."""
    of = whom(member, me)
    unmarked = _about(of, me, lambda state: unmark_robot(state, of))
    await commands.execute(MEMBERSHIP, membership_id(me.community.id, of), unmarked, on=bases(me), expect=expect)
