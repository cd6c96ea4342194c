"""A member as callers see one: standing, roles and display name, put together from streams and vault.

What the roster shows of many comes from the views; what is shown of one comes from the log, so it is never behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Path
from pydantic import Field
from pydantic.config import JsonDict

from services.member.communities.domain import COMMUNITY
from services.member.membership.domain import MEMBERSHIP, Membership, Status, membership_id, words
from services.member.profiles.domain import PROFILE, profile_id, words_in
from services.member.roles.domain import holder
from shared.commands.outcome import Outcome
from shared.events.errors import NotFound
from shared.web.access.permissions import CallerInCommunity
from shared.web.access.policy import ROLE_PERMISSIONS, Permission
from shared.web.fields import Answer
from shared.web.request_commands import RequestCommands
from shared.web.vault_text import read, read_all

MEMBER_EXAMPLE: JsonDict = {
    "id": "5b0e2f0c-7d1a-8a43-9c55-0a1b2c3d4e5f",
    "status": "member",
    "status_since": "2026-03-01T12:00:00Z",
    "roles": ["moderator", "member"],
    "display_name": "Ada",
    "robot": False,
    "imported_by": None,
}

APPLYING: Final = ("applicant", "withdrawn", "declined", "expired")
"""Who has one of these has an application."""

MemberPath = Annotated[
    UUID | Literal["me"], Path(description="A member's id, or `me`.", examples=["me", MEMBER_EXAMPLE["id"]])
]


class Answered(Answer):
    """What an applicant was asked, and the answer."""

    question: str
    answer: str


class Application(Answer):
    """The last application, for moderators and for whom it is about."""

    answers: list[Answered] | None = Field(description="Null where none were given, or they were taken back or erased.")
    reason: str | None = Field(description="Why it was declined, where that was said.")


class Removal(Answer):
    """That they were removed, for moderators and for whom it is about."""

    reason: str | None = Field(description="Null where none was given, or it was erased.")


class MemberListed(Answer, example=MEMBER_EXAMPLE):
    """A member in the roster."""

    id: UUID
    status: Status
    status_since: datetime
    roles: list[str] = Field(description="The roles held here, the mightiest first; empty for who is not here.")
    display_name: str | None = Field(description="As in the profile; null without one.")
    robot: bool = Field(description="Whether an administrator marked the account as a program's.")
    imported_by: UUID | None = Field(
        description="Who brought them in by a backfill; null for who joined or applied themselves."
    )


class MemberAnswer(MemberListed, example={**MEMBER_EXAMPLE, "times_joined": 1, "application": None, "removal": None}):
    """One member."""

    times_joined: int = Field(description="How often they joined: 2 for one who left and came again.")
    application: Application | None = Field(None, description="Only for moderators and for whom it is about.")
    removal: Removal | None = Field(None, description="Only for moderators and for whom it is about.")


def whom(member: UUID | Literal["me"], me: CallerInCommunity) -> UUID:
    """The member a path means."""
    return me.id if member == "me" else member


def ranked(roles: Iterable[str], status: str) -> list[str]:
    """Roles in the order of their might; everybody who is here is a `member` besides."""
    held = {*roles, "member"} if status == "member" else set()
    return sorted(held, key=lambda role: (-len(ROLE_PERMISSIONS.get(role, ())), role))


async def look_up(member: UUID, me: CallerInCommunity, commands: RequestCommands) -> MemberAnswer:
    """As `show`, of the stream as it is now."""
    found = await commands.load(MEMBERSHIP, membership_id(me.community.id, member))
    return await show(member, found, me, commands)


async def show(
    member: UUID,
    found: Outcome[Membership] | Outcome[Membership | None],
    me: CallerInCommunity,
    commands: RequestCommands,
) -> MemberAnswer:
    """A member by their stream, its version as the ETag: to others than moderators and themselves a tag of what is
    shown alone, since versions tell what else happened. Raises `NotFound` for whoever never came, and for who is not
    here, by whatever way, except to those.
    """
    at = me.community.id
    state, insider = found.state, knows(member, me)
    if state is None or (state.status != "member" and not insider):
        raise NotFound("There is no such member.")
    community = await commands.get(COMMUNITY, at)
    profile = await commands.load(PROFILE, profile_id(at, member))
    name = (await read(commands.vault, at, words_in(profile.state)) or {}).get("display_name")
    roles = ranked(holder(member, community.state, state).roles, state.status)
    answer = MemberAnswer(
        id=member,
        status=state.status,
        status_since=state.since,
        roles=roles,
        display_name=name,
        robot=state.robot,
        imported_by=state.imported_by,
        times_joined=state.times_joined,
        application=await _application(state, me, commands) if insider else None,
        removal=await _removal(state, me, commands) if insider else None,
    )
    if insider:
        commands.tag(found.version, insider, name, *roles)
    else:
        commands.tag(0, answer.model_dump_json())
    return answer


def knows(member: UUID, me: CallerInCommunity) -> bool:
    """Whether the caller sees of that member what is not for everybody."""
    return member == me.id or Permission.MODERATE in me.permissions


async def _application(state: Membership, me: CallerInCommunity, commands: RequestCommands) -> Application | None:
    if state.status not in APPLYING:
        return None
    answers, reason = await read_all(commands.vault, me.community.id, words(state) or (None, None))
    return Application.model_validate({"answers": answers.get("answers"), "reason": reason.get("reason")})


async def _removal(state: Membership, me: CallerInCommunity, commands: RequestCommands) -> Removal | None:
    if state.status != "removed":
        return None
    return Removal(reason=(await read(commands.vault, me.community.id, state.reason) or {}).get("reason"))
