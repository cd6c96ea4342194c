"""Membership over HTTP: join or apply, be accepted or declined, look at oneself and others, leave."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from services.member.communities.domain import COMMUNITY, Community, CommunityEvent, admits, without_ownership
from services.member.membership.domain import (
    MEMBERSHIP,
    Membership,
    MembershipEvent,
    accept,
    ask,
    come,
    decline,
    leave,
    membership_id,
)
from services.member.membership.member import MemberAnswer, MemberPath, look_up, show, whom
from services.member.rights import bases, confirmed, permitted
from shared.access.permissions import Acquainted, Moderator, Newcomer, Reader
from shared.commands import Step
from shared.http.dependencies import Commanding, IfMatch
from shared.http.wording import refer
from shared.http.words import Body, name, words

router = APIRouter(prefix="/members", tags=["members"])


class QuestionAnswered(Body):
    question: Annotated[str, name(300)]
    answer: Annotated[str, words(5_000)]


class Joining(Body):
    """What an applicant says; not kept where the community is open to everybody."""

    answers: list[QuestionAnswered] | None = Field(None, min_length=1, max_length=20)

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"answers": [{"question": "What brings you here?", "answer": "I grow tomatoes."}]}]
        }
    )


class Declining(Body):
    reason: Annotated[str, words(2_000)] | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Please tell us a little more."}]})


@router.post("", status_code=201, operation_id="join_community", summary="Join a community, or apply to it")
async def join_community(here: Newcomer, store: Commanding, body: Joining | None = None) -> MemberAnswer:
    """Where admission is open, the caller is a member at once; otherwise the application waits for a moderator, as does
    that of one who was removed.

    Who knows the name of a community for members only may ask to be let in, too.
    """
    at, stream = here.community.id, membership_id(here.community.id, here.id)
    community = await store.load(COMMUNITY, at)
    before = await store.load(MEMBERSHIP, stream)
    if admits(community.state) == "open" and not before.state.barred:

        def joined(state: Membership, at: Community, own: Membership) -> list[MembershipEvent]:
            confirmed(here, at, own)
            return come(state, at, here.id)

        found = await store.execute(MEMBERSHIP, stream, joined, on=bases(here))
    else:
        given = [answer.model_dump() for answer in body.answers] if body and body.answers else None
        text, secrets = await refer(
            store.vault,
            at,
            here.id,
            {"answers": given} if given else None,
            sum(len(answer["answer"]) for answer in given or ()),
            before.state.answers,
        )

        def applied(state: Membership, at: Community, own: Membership) -> list[MembershipEvent]:
            confirmed(here, at, own)
            return ask(state, at, here.id, text)

        found = await store.execute(MEMBERSHIP, stream, applied, on=bases(here), secrets=secrets)
    shown = await show(here.id, found, here, store)
    store.created("members", here.id)
    return shown


@router.get("/me", operation_id="get_own_membership", summary="Show what one is here oneself")
async def get_own_membership(here: Acquainted, store: Commanding) -> MemberAnswer:
    """For applicants and former members, too; 404 for who never came."""
    return await look_up(here.id, here, store)


@router.delete("/me", status_code=204, operation_id="leave_community", summary="Leave, or take one's application back")
async def leave_community(here: Acquainted, store: Commanding, expect: IfMatch) -> None:
    """The caller's roles end with it, an ownership too; the last owner cannot leave. An applicant may apply again."""

    def ownership(state: Community, _: Community, own: Membership) -> list[CommunityEvent]:
        return without_ownership(state, here.id) if own.status == "member" else []

    own = membership_id(here.community.id, here.id)
    await store.execute_together(
        [
            Step(MEMBERSHIP, own, lambda state, *_: leave(state, here.id), expect),
            Step(COMMUNITY, here.community.id, ownership),
        ],
        on=bases(here),
    )


@router.get("/{member}", operation_id="get_member", summary="Show a member")
async def get_member(member: MemberPath, here: Reader, store: Commanding) -> MemberAnswer:
    """Applicants are shown to moderators and to themselves only."""
    return await look_up(whom(member, here), here, store)


@router.post("/{member}/acceptance", operation_id="accept_member", summary="Accept an application")
async def accept_member(member: UUID, here: Moderator, store: Commanding, expect: IfMatch) -> MemberAnswer:
    stream = membership_id(here.community.id, member)
    accepted = permitted(here, lambda state: accept(state, member))
    found = await store.execute(MEMBERSHIP, stream, accepted, on=bases(here), expect=expect)
    return await show(member, found, here, store)


@router.post("/{member}/decline", operation_id="decline_member", summary="Decline an application")
async def decline_member(
    member: UUID, here: Moderator, store: Commanding, expect: IfMatch, body: Declining | None = None
) -> MemberAnswer:
    """The reason is shown to the applicant, who may apply again."""
    stream = membership_id(here.community.id, member)
    before = await store.load(MEMBERSHIP, stream)
    reason = body.reason if body else None
    # About the applicant, so it is the applicant whom the vault forgets it with.
    text, secrets = await refer(
        store.vault,
        here.community.id,
        member,
        {"reason": reason} if reason else None,
        len(reason or ""),
        before.state.reason,
    )

    declined = permitted(here, lambda state: decline(state, member, text))
    found = await store.execute(MEMBERSHIP, stream, declined, on=bases(here), secrets=secrets, expect=expect)
    return await show(member, found, here, store)
