"""Profiles over HTTP: read a member's, replace one's own as a whole, empty one.

A profile ends with its member's leaving: from then on only they and moderators see it, and they can still empty it.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field

from services.member.membership.domain import MEMBERSHIP, membership_id
from services.member.membership.listing import holders_names
from services.member.membership.member import MemberPath, knows, whom
from services.member.profiles.domain import PROFILE, Profile, empty, profile_id, told_apart, update
from services.member.rights import bases, permitted
from shared.access.permissions import Here, Participant, Permission, Reader, Requirement, requires
from shared.errors import Forbidden, NotFound
from shared.http.dependencies import Commanding, Db, IfMatch, Store
from shared.http.wording import read, refer
from shared.http.words import Answer, Body, name, words

CONTRIBUTING = requires(Permission.CONTRIBUTE)
"""What words in a profile ask besides."""
MODERATING = Requirement(Permission.MODERATE, even_archived=True)
"""What emptying another's asks besides."""

router = APIRouter(prefix="/members/{member}/profile", tags=["profiles"])

Item = Annotated[str, name(100)]
EXAMPLE = ConfigDict(
    json_schema_extra={
        "examples": [
            {
                "display_name": "Ada",
                "bio": "Writes about numbers.",
                "needs": ["a place to ask"],
                "interests": ["music"],
                "skills": ["proofreading"],
            }
        ]
    }
)


class ProfileWords(Body):
    """A whole profile; what is left out is empty afterwards."""

    display_name: Annotated[str, name(80)] | None = None
    bio: Annotated[str, words(5_000)] | None = None
    needs: list[Item] = Field(default_factory=list, max_length=50)
    interests: list[Item] = Field(default_factory=list, max_length=50)
    skills: list[Item] = Field(default_factory=list, max_length=50)

    model_config = EXAMPLE


class ProfileAnswer(Answer):
    """A profile; empty where a member has none, or it was erased."""

    display_name: str | None = None
    bio: str | None = None
    needs: list[str] | None = None
    interests: list[str] | None = None
    skills: list[str] | None = None

    model_config = EXAMPLE


@router.get(
    "",
    operation_id="get_profile",
    summary="Show a member's profile",
    response_model=ProfileAnswer,
    response_model_exclude_none=True,
)
async def get_profile(member: MemberPath, here: Reader, store: Commanding) -> ProfileAnswer:
    """Only the fields that have words in them; `{}` without any, and of who is not here any more, whose profile only
    moderators and they see.
    """
    about = whom(member, here)
    if await _status(about, here, store) != "member" and not knows(about, here):
        return ProfileAnswer()
    profile = await store.load(PROFILE, profile_id(here.community.id, about))
    store.tag(profile.version)
    return ProfileAnswer(**(await read(store.vault, here.community.id, profile.state.words) or {}))


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
    here: Participant,
    store: Commanding,
    db: Db,
    expect: IfMatch,
    request: Request,
) -> ProfileAnswer:
    """As a whole: what is left out is empty afterwards. Only one's own, and only by a member; who has left may still
    put an empty one, which takes everything out.

    A new display name is told apart from those of all others who hold a role here.
    """
    if whom(member, here) != here.id:
        raise Forbidden("Only the member can change a profile.")
    at, stream = here.community.id, profile_id(here.community.id, here.id)
    content = {field: value for field, value in body.model_dump().items() if value}
    if content:
        await CONTRIBUTING(request, here.caller, str(at))
    before = await store.load(PROFILE, stream)
    if body.display_name and body.display_name != await _called(store, at, before.state):
        told_apart(body.display_name, await holders_names(db, store.vault, at, but=here.id))
    # Emptying a profile is a change; leaving one empty that never had words is none.
    words_now = content if content or before.state.words else None
    text, secrets = await refer(store.vault, at, here.id, words_now, _length(content), before.state.words)
    replaced = permitted(
        here, lambda state: update(state, here.id, text, list(content)), CONTRIBUTING.requirement if content else None
    )
    changed = await store.execute(PROFILE, stream, replaced, on=bases(here), secrets=secrets, expect=expect)
    await store.vault.forget(at, changed.state.replaced)
    return ProfileAnswer(**content)


@router.delete("", status_code=204, operation_id="empty_profile", summary="Empty a profile")
async def empty_profile(member: MemberPath, here: Participant, store: Commanding, expect: IfMatch) -> None:
    """One's own, also after one has left, or anybody's by a moderator. The words are gone for good."""
    about, at = whom(member, here), here.community.id
    if about != here.id and not here.reads:
        raise _no_such_member()
    await _status(about, here, store)
    stream = profile_id(at, about)
    before = await store.load(PROFILE, stream)
    text, secrets = await refer(store.vault, at, about, {}, 0, before.state.words)
    assert text is not None, "an empty profile has a reference, too"
    asked = None if about == here.id else MODERATING
    taken_out = permitted(here, lambda state: empty(state, about, text), asked)
    emptied = await store.execute(PROFILE, stream, taken_out, on=bases(here), secrets=secrets, expect=expect)
    await store.vault.forget(at, emptied.state.replaced)


async def _status(member: UUID, here: Here, store: Store) -> str:
    """What somebody is here. Raises `NotFound` for who never was a member."""
    found = await store.load(MEMBERSHIP, membership_id(here.community.id, member))
    if found.state.times_joined == 0:
        raise _no_such_member()
    return found.state.status


def _no_such_member() -> NotFound:
    return NotFound("There is no such member.")


async def _called(store: Store, community: UUID, profile: Profile) -> str | None:
    return (await read(store.vault, community, profile.words) or {}).get("display_name")


def _length(content: dict[str, Any]) -> int:
    """The characters of all fields together."""
    return sum(len(value) if isinstance(value, str) else sum(map(len, value)) for value in content.values())
