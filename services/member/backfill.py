"""What a backfill may bring in: who had joined, and when, and which of them are robots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal
from uuid import UUID

from pydantic import Field, StrictBool

from services.member.communities.domain import Community
from services.member.communities.own import came
from services.member.membership.domain import (
    MEMBERSHIP,
    Membership,
    MembershipEvent,
    bring_in,
    decided_here,
    mark_robot,
    membership_id,
)
from services.member.rights import bases, confirmed
from services.member.roles.domain import holder, must_stand_above
from shared.commands.outcome import Outcome
from shared.events.errors import Invalid
from shared.web.access.policy import Permission, Requirement
from shared.web.backfill.command import BackfillCommand, Line, LineContext


class JoinLine(Line):
    """`subject` joined at that time."""

    command: Literal["join"]
    robot: StrictBool = Field(
        False, description="Mark them as a robot, also who had joined before; `false` takes no mark away."
    )


def _stream(context: LineContext, line: JoinLine) -> UUID:
    return membership_id(context.community.id, _member(context))


async def _join(context: LineContext, line: JoinLine) -> Outcome[Membership | None]:
    # Whatever the admission is today: whoever brings a community in says that they were let in elsewhere. `via` is
    # `open` (or `rejoining`), since `application` would promise an ApplicationAccepted that nobody here decided.
    member, stream = _member(context), _stream(context, line)

    def decide(state: Membership | None) -> list[MembershipEvent]:
        if state and state.brought_in_at == context.act.occurred_at:  # known, even who has left since
            return mark_robot(state, member) if line.robot else []
        if decided_here(state):
            # The same of all who are known, or it would tell of every subject who is here.
            context.left_out.add("", "They are known here; who comes and goes is decided here.")
        return bring_in(state, member, robot=line.robot)

    coming = came(context.community.id, member, context.me.caller, line.subject)
    return await context.execute(
        MEMBERSHIP, stream, _permitted(context, member, decide), on=bases(context.me), secrets=[coming]
    )


def _permitted(
    context: LineContext, member: UUID, decide: Callable[[Membership | None], list[MembershipEvent]]
) -> Callable[[Membership | None, Community, Membership | None], list[MembershipEvent]]:
    """The decision for who may bring in, at the append; in an archived community only what is known is repeated. Who
    stands here is marked by those above them only.
    """

    def decided(state: Membership | None, community: Community, own: Membership | None) -> list[MembershipEvent]:
        by = confirmed(context.me, community, own)
        if events := decide(state):
            confirmed(context.me, community, own, Requirement(Permission.BACKFILL))
            if by.roles:  # an operator has none
                must_stand_above(by, holder(member, community, state))
        return events

    return decided


def _member(context: LineContext) -> UUID:
    if context.member is None:
        raise Invalid("Somebody joins: `subject` says who.", pointer="/subject")
    return context.member


BACKFILL = (BackfillCommand("join", JoinLine, _stream, _join, members_only=False),)
