"""A member as callers see one: standing, roles and display name, put together from streams and vault.

What the roster shows of many comes from the views; what is shown of one comes from the log, so it is never behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Path
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from services.member.communities.domain import COMMUNITY
from services.member.events import (
    ApplicationDeclined,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
)
from services.member.membership.domain import MEMBERSHIP, Membership, Status, membership_id
from services.member.profiles.domain import PROFILE, profile_id
from services.member.roles.domain import holder
from shared.access.permissions import ROLE_PERMISSIONS, Here, Permission
from shared.commands import Outcome
from shared.errors import NotFound
from shared.http.dependencies import Store
from shared.http.wording import read, read_all
from shared.http.words import Answer

MEMBER_EXAMPLE: JsonDict = {
    "id": "5b0e2f0c-7d1a-8a43-9c55-0a1b2c3d4e5f",
    "status": "member",
    "status_since": "2026-03-01T12:00:00Z",
    "roles": ["moderator", "member"],
    "display_name": "Ada",
    "robot": False,
    "imported_by": None,
}

_SETTLES_STATUS = (
    MemberJoined,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    ApplicationDeclined,
    MemberLeft,
    MemberRemoved,
)
HIDDEN: Final = ("applicant", "withdrawn", "declined")
"""Who has one of these is shown to moderators and to themselves only."""

MemberPath = Annotated[
    UUID | Literal["me"], Path(description="A member's id, or `me`.", examples=["me", MEMBER_EXAMPLE["id"]])
]


class Answered(Answer):
    """What an applicant was asked, and the answer."""

    question: str
    answer: str


class Application(Answer):
    """The last application, for moderators and for whom it is about."""

    answers: list[Answered] | None = Field(description="Null where none were given, or they were erased.")
    reason: str | None = Field(description="Why it was declined, where that was said.")


class Removal(Answer):
    """That they were removed, for moderators and for whom it is about."""

    reason: str | None = Field(description="Null where none was given, or it was erased.")


class MemberListed(Answer):
    """A member in the roster."""

    id: UUID
    status: Status
    status_since: datetime
    roles: list[str] = Field(description="The roles held here, the mightiest first; empty for who is not here.")
    display_name: str | None = Field(
        description="As in the profile; null without one. Of who is not here any more, only moderators and they see it."
    )
    robot: bool = Field(description="Whether an administrator marked the account as a program's.")
    imported_by: UUID | None = Field(
        description="Who brought them in by a backfill; null for who joined or applied themselves."
    )

    model_config = ConfigDict(json_schema_extra={"examples": [MEMBER_EXAMPLE]})


class MemberAnswer(MemberListed):
    """One member."""

    times_joined: int = Field(description="How often they joined: 2 for one who left and came again.")
    application: Application | None = Field(None, description="Only for moderators and for whom it is about.")
    removal: Removal | None = Field(None, description="Only for moderators and for whom it is about.")

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**MEMBER_EXAMPLE, "times_joined": 1, "application": None, "removal": None}]}
    )


def whom(member: UUID | Literal["me"], here: Here) -> UUID:
    """The member a path means."""
    return here.id if member == "me" else member


def ranked(roles: Iterable[str], status: str) -> list[str]:
    """Roles in the order of their might; everybody who is here is a `member` besides."""
    held = {*roles, "member"} if status == "member" else set()
    return sorted(held, key=lambda role: (-len(ROLE_PERMISSIONS.get(role, ())), role))


async def look_up(member: UUID, here: Here, store: Store) -> MemberAnswer:
    """As `show`, of the stream as it is now."""
    return await show(member, await store.load(MEMBERSHIP, membership_id(here.community.id, member)), here, store)


async def show(member: UUID, found: Outcome[Membership], here: Here, store: Store) -> MemberAnswer:
    """A member by their stream, its version as the ETag. Raises `NotFound` for whoever never came, and for who has
    applied and was not let in, except to moderators and to themselves.
    """
    at = here.community.id
    state, since = found.state, found.history.last_at(*_SETTLES_STATUS)
    insider = knows(member, here)
    if since is None or (state.status in HIDDEN and not insider):
        raise NotFound("There is no such member.")
    community = await store.load(COMMUNITY, at)
    profile = await store.load(PROFILE, profile_id(at, member))
    called = (await read(store.vault, at, profile.state.words) or {}).get("display_name")
    name = called if state.status == "member" or insider else None
    roles = ranked(holder(member, community.state, state).roles, state.status)
    store.tag(found.version, insider, name, *roles)
    return MemberAnswer(
        id=member,
        status=state.status,
        status_since=since,
        roles=roles,
        display_name=name,
        robot=state.robot,
        imported_by=found.history.imported_by,
        times_joined=state.times_joined,
        application=await _application(state, here, store) if insider else None,
        removal=await _removal(state, here, store) if insider else None,
    )


def knows(member: UUID, here: Here) -> bool:
    """Whether the caller sees of that member what is not for everybody."""
    return member == here.id or Permission.MODERATE in here.permissions


async def _application(state: Membership, here: Here, store: Store) -> Application | None:
    if state.status not in HIDDEN:
        return None
    answers, reason = await read_all(store.vault, here.community.id, [state.answers, state.reason])
    return Application.model_validate({"answers": answers.get("answers"), "reason": reason.get("reason")})


async def _removal(state: Membership, here: Here, store: Store) -> Removal | None:
    if state.status != "removed":
        return None
    return Removal(reason=(await read(store.vault, here.community.id, state.reason) or {}).get("reason"))
