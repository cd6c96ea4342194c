"""What a backfill may bring in: who had joined, and when, and which of them are robots."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field, StrictBool

from services.member.events import MemberJoined
from services.member.membership.domain import MEMBERSHIP, Membership, bring_in, mark_robot, membership_id
from shared.backfill.command import BackfillCommand, Line, LineContext
from shared.commands import Outcome
from shared.errors import Invalid


class JoinLine(Line):
    """`subject` joined at that time."""

    command: Literal["join"]
    robot: StrictBool = Field(
        False, description="Mark them as a robot, also who had joined before; `false` takes no mark away."
    )


def _stream(context: LineContext, line: JoinLine) -> UUID:
    return membership_id(context.community.id, _member(context))


async def _join(context: LineContext, line: JoinLine) -> Outcome[Membership]:
    # Whatever the admission is today: whoever brings a community in says that they were let in elsewhere. `via` is
    # `open` (or `rejoining`), since `application` would promise an ApplicationAccepted that nobody here decided.
    member, stream = _member(context), _stream(context, line)
    if await context.happened(stream, MemberJoined):  # even who has left since
        return await context.execute(MEMBERSHIP, stream, lambda state: mark_robot(state, member) if line.robot else [])
    return await context.execute(MEMBERSHIP, stream, lambda state: bring_in(state, member, robot=line.robot))


def _member(context: LineContext) -> UUID:
    if context.member is None:
        raise Invalid("Somebody joins: `subject` says who.", pointer="/subject")
    return context.member


BACKFILL = (BackfillCommand("join", JoinLine, _stream, _join, members_only=False),)
