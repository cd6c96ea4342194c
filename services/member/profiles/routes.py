"""Profiles over HTTP: read a member's, replace one's own as a whole, empty one.

A profile ends with its member's leaving: from then on only they and moderators see it, and they can still empty it.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import Field
from pydantic.config import JsonDict

from services.member.communities.domain import Community
from services.member.events import ProfileUpdated
from services.member.membership.domain import MEMBERSHIP, Membership, membership_id
from services.member.membership.member import MemberPath, knows, whom
from services.member.profiles.domain import PROFILE, Profile, empty, profile_id, told_apart, update, words_in
from services.member.profiles.names import Holders, holders_but, length
from services.member.rights import bases, confirmed
from services.member.roles.domain import holder, must_stand_above
from shared.events.errors import Conflict, Forbidden, NotFound
from shared.web.access.permissions import CallerInCommunity, Participant, Reader, requires
from shared.web.access.policy import Permission, Requirement
from shared.web.dependencies import Commanding, Db, IfMatch
from shared.web.fields import Answer, Body, name, words
from shared.web.request_commands import RequestCommands
from shared.web.vault_text import read, refer

CONTRIBUTING = requires(Permission.CONTRIBUTE)
"""What words in a profile ask besides."""
MODERATING = Requirement(Permission.MODERATE, even_archived=True)
"""What emptying another's asks besides."""

router = APIRouter(prefix="/members/{member}/profile", tags=["profiles"])

Item = Annotated[str, name(100)]
EXAMPLE: JsonDict = {
    "display_name": "Ada",
    "bio": "Writes about numbers.",
    "needs": ["a place to ask"],
    "interests": ["music"],
    "skills": ["proofreading"],
}


class ProfileWords(Body, example=EXAMPLE):
    """A whole profile; what is left out is empty afterwards."""

    display_name: Annotated[str, name(80)] | None = None
    bio: Annotated[str, words(5_000)] | None = None
    needs: list[Item] = Field(default_factory=list, max_length=50)
    interests: list[Item] = Field(default_factory=list, max_length=50)
    skills: list[Item] = Field(default_factory=list, max_length=50)


class ProfileAnswer(Answer, example=EXAMPLE):
    """A profile; empty where a member has none, or it was erased."""

    display_name: str | None = None
    bio: str | None = None
    needs: list[str] | None = None
    interests: list[str] | None = None
    skills: list[str] | None = None


@router.get(
    "",
    operation_id="get_profile",
    summary="Show a member's profile",
    response_model=ProfileAnswer,
    response_model_exclude_none=True,
)
async def get_profile(member: MemberPath, me: Reader, commands: Commanding) -> ProfileAnswer:
    """Only the fields that have words in them; `{}` without any. Who is not here any more is shown to moderators and to
    themselves only.
    """
    about = whom(member, me)
    await _refuse_unknown(about, me, commands)
    profile = await commands.load(PROFILE, profile_id(me.community.id, about))
    answer = ProfileAnswer(**(await read(commands.vault, me.community.id, words_in(profile.state)) or {}))
    if knows(about, me):
        commands.tag(profile.version)
    else:  # how often it was changed or emptied is not for everybody
        commands.tag(0, answer.model_dump_json())
    return answer


@router.put(
    "",
    operation_id="replace_profile",
    summary="Replace one's profile",
    response_model=ProfileAnswer,
    response_model_exclude_none=True,
)
async def replace_profile(
    member: MemberPath,
    body: ProfileWords,
    me: Participant,
    commands: Commanding,
    db: Db,
    expect: IfMatch,
    request: Request,
) -> ProfileAnswer:
    """As a whole: what is left out is empty afterwards. Only one's own, and only by a member; who has left may still
    put an empty one, which takes everything out.

    A new display name is told apart from those of all others who hold a role here.
    """
    if whom(member, me) != me.id:
        raise Forbidden("Only the member can change a profile.")
    at, stream = me.community.id, profile_id(me.community.id, me.id)
    content = {field: value for field, value in body.model_dump().items() if value}
    if content:
        await CONTRIBUTING(request, me.caller, str(at))
    before = await commands.load(PROFILE, stream)
    named = Holders()
    if body.display_name and body.display_name != await _called(commands, at, before.state):
        named = await holders_but(me.id, me, commands, db)
        told_apart(body.display_name, named.names)
    # Emptying a profile is a change; leaving one empty that never had words is none.
    words_now = content if content or before.state else None
    text, secrets = await refer(commands.vault, at, me.id, words_now, length(content), words_in(before.state))

    def replaced(
        state: Profile | None, community: Community, own: Membership | None, *theirs: Profile | None
    ) -> list[ProfileUpdated]:
        confirmed(me, community, own, CONTRIBUTING.requirement if content else None)
        events = update(state, me.id, text, list(content), before.state)
        if list(theirs) != named.profiles:  # the name was compared with others than these
            raise Conflict("Somebody who holds a role here changed their name at the same moment.", retry_after=1)
        return events

    on = [*bases(me), *((PROFILE, profile_id(at, other)) for other in named.ids)]
    changed = await commands.execute(PROFILE, stream, replaced, on=on, secrets=secrets, expect=expect)
    await commands.vault.forget(at, changed.superseded)
    return ProfileAnswer(**(await read(commands.vault, at, words_in(changed.state)) or {}))


@router.delete("", status_code=204, operation_id="empty_profile", summary="Empty a profile")
async def empty_profile(member: MemberPath, me: Participant, commands: Commanding, expect: IfMatch) -> None:
    """One's own, also after one has left, or by a moderator that of who stands below. The words are gone for good."""
    about, at = whom(member, me), me.community.id
    if about != me.id and not me.reads:
        raise _no_such_member()
    await _refuse_unknown(about, me, commands)
    stream = profile_id(at, about)
    before = await commands.load(PROFILE, stream)
    text, secrets = await refer(commands.vault, at, about, {}, 0, words_in(before.state))
    assert text is not None, "an empty profile has a reference, too"
    asked = None if about == me.id else MODERATING

    def taken_out(
        state: Profile | None, community: Community, own: Membership | None, their: Membership | None
    ) -> list[ProfileUpdated]:
        by = confirmed(me, community, own, asked)
        must_stand_above(by, holder(about, community, their))
        return empty(state, about, text)

    emptied = await commands.execute(PROFILE, stream, taken_out, on=bases(me, about), secrets=secrets, expect=expect)
    await commands.vault.forget(at, emptied.superseded)


async def _refuse_unknown(member: UUID, me: CallerInCommunity, commands: RequestCommands) -> None:
    """Raises `NotFound` for who never was a member, and for who is not here, except to moderators and themselves."""
    state = (await commands.load(MEMBERSHIP, membership_id(me.community.id, member))).state
    if state is None or state.times_joined == 0 or (state.status != "member" and not knows(member, me)):
        raise _no_such_member()


def _no_such_member() -> NotFound:
    return NotFound("There is no such member.")


async def _called(commands: RequestCommands, community: UUID, profile: Profile | None) -> str | None:
    return (await read(commands.vault, community, words_in(profile)) or {}).get("display_name")
