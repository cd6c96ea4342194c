"""Membership over HTTP: join or apply, be accepted or declined, look at oneself and others, leave."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import Field

from services.member.communities.domain import COMMUNITY, Community, CommunityEvent, without_ownership
from services.member.communities.own import came
from services.member.membership.domain import (
    MEMBERSHIP,
    Membership,
    MembershipEvent,
    accept,
    ask,
    come,
    decline,
    is_member,
    leave,
    membership_id,
)
from services.member.membership.member import MemberAnswer, MemberPath, look_up, show, whom
from services.member.profiles.names import Renaming, without_a_taken_name
from services.member.rights import bases, confirmed, permitted
from shared.commands.decisions import StreamDecision, change
from shared.commands.outcome import Outcome
from shared.events.errors import Conflict
from shared.web import context
from shared.web.access.permissions import Acquainted, CallerInCommunity, Moderator, Newcomer, Reader
from shared.web.dependencies import Commanding, Db, IfMatch
from shared.web.fields import Body, name, words
from shared.web.queries import Queries
from shared.web.quota import JOININGS, Quota, used_up
from shared.web.request_commands import RequestCommands
from shared.web.vault_text import refer

router = APIRouter(prefix="/members", tags=["members"])


class QuestionAnswered(Body):
    question: Annotated[str, name(300)]
    answer: Annotated[str, words(5_000)]


class Joining(Body, example={"answers": [{"question": "What brings you here?", "answer": "I grow tomatoes."}]}):
    """What an applicant says; not kept where the community is open to everybody."""

    answers: list[QuestionAnswered] | None = Field(None, min_length=1, max_length=20)


class Declining(Body, example={"reason": "Please tell us a little more."}):
    reason: Annotated[str, words(2_000)] | None = None


@router.post("", status_code=201, operation_id="join_community", summary="Join a community, or apply to it")
async def join_community(
    me: Newcomer, commands: Commanding, db: Db, request: Request, body: Joining | None = None
) -> MemberAnswer:
    """Where admission is open, the caller is a member at once; otherwise the application waits for a moderator, as does
    that of one who was removed. Who comes back under a name that looks like that of a role holder by now has none.

    Who knows the name of a community for members only may ask to be let in, too. One joins or applies a limited number
    of times a day, in all communities together (429 beyond it, until the next day of UTC).
    """
    runtime = context.runtime_of(request)
    at, stream = me.community.id, membership_id(me.community.id, me.id)
    community = await commands.get(COMMUNITY, at)
    before = (await commands.load(MEMBERSHIP, stream)).state
    async with Quota(runtime.engine, me.caller, JOININGS, most := runtime.settings.joinings) as quota:
        if not (before and is_member(before)) and not await quota.reserve():
            raise used_up(f"You have joined or applied {most:,} times today, as often as one may a day.")
        if community.state.description.admission == "open" and not (before and before.barred):
            coming: Outcome[Membership | None] = await _join(me, before, commands, db)
        else:
            coming = await _apply(me, before, commands, body.answers if body else None)
        if coming.events:
            quota.use()
    shown = await show(me.id, coming, me, commands)
    commands.created("members", me.id)
    return shown


async def _join(
    me: CallerInCommunity, before: Membership | None, commands: RequestCommands, db: Queries
) -> Outcome[Membership | None]:
    at, stream = me.community.id, membership_id(me.community.id, me.id)

    def joined(state: Membership | None, at: Community, own: Membership | None) -> list[MembershipEvent]:
        confirmed(me, at, own)
        return come(state, at, me.id)

    returns = before is not None and before.times_joined > 0 and not is_member(before)
    renaming = await without_a_taken_name(me.id, me, commands, db) if returns else Renaming()
    found, *renamed = await commands.execute_together(
        [StreamDecision(MEMBERSHIP, stream, joined), *renaming.steps],
        on=bases(me),
        secrets=[came(at, me.id, me.caller), *renaming.secrets],
    )
    for each in (found, *renamed):
        await commands.vault.forget(at, each.superseded)
    return found


async def _apply(
    me: CallerInCommunity, before: Membership | None, commands: RequestCommands, answers: list[QuestionAnswered] | None
) -> Outcome[Membership | None]:
    at, stream = me.community.id, membership_id(me.community.id, me.id)
    given = [answer.model_dump() for answer in answers or ()]
    text, secrets = await refer(
        commands.vault,
        at,
        me.id,
        {"answers": given} if given else None,
        sum(len(answer["answer"]) for answer in given),
        before.answers if before and before.status == "applicant" else None,
    )

    def applied(state: Membership | None, at: Community, own: Membership | None) -> list[MembershipEvent]:
        confirmed(me, at, own)
        events = ask(state, at, me.id, text, commands.act.occurred_at)
        if events and text is not None and before and text == before.answers:  # taken back meanwhile, and forgotten
            raise Conflict("The application was taken back at the same moment. Try again.", retry_after=1)
        return events

    secrets = [*secrets, came(at, me.id, me.caller)]
    found = await commands.execute(MEMBERSHIP, stream, applied, on=bases(me), secrets=secrets)
    await commands.vault.forget(at, found.superseded)
    return found


@router.get("/me", operation_id="get_own_membership", summary="Show what one is here oneself")
async def get_own_membership(me: Acquainted, commands: Commanding) -> MemberAnswer:
    """For applicants and former members, too; 404 for who never came."""
    return await look_up(me.id, me, commands)


@router.delete("/me", status_code=204, operation_id="leave_community", summary="Leave, or take one's application back")
async def leave_community(me: Acquainted, commands: Commanding, expect: IfMatch) -> None:
    """The caller's roles end with it, an ownership too; the last owner cannot leave. An applicant may apply again.

    What an applicant answered is gone for good, also of an application that was declined.
    """

    def ownership(state: Community, _: Community, own: Membership | None) -> list[CommunityEvent]:
        return without_ownership(state, me.id) if is_member(own) else []

    def left(state: Membership | None, *_: Any) -> list[MembershipEvent]:
        return leave(state, me.id) if state else []

    own = membership_id(me.community.id, me.id)
    gone, _ = await commands.execute_together(
        [
            StreamDecision(MEMBERSHIP, own, left, expect),
            StreamDecision(COMMUNITY, me.community.id, ownership),
        ],
        on=bases(me),
    )
    await commands.vault.forget(me.community.id, gone.superseded)


@router.get("/{member}", operation_id="get_member", summary="Show a member")
async def get_member(member: MemberPath, me: Reader, commands: Commanding) -> MemberAnswer:
    """Who is not here is shown to moderators and to themselves only, whether they applied, left or were removed."""
    return await look_up(whom(member, me), me, commands)


@router.post("/{member}/acceptance", operation_id="accept_member", summary="Accept an application")
async def accept_member(member: UUID, me: Moderator, commands: Commanding, db: Db, expect: IfMatch) -> MemberAnswer:
    """Who comes back under a name that looks like that of a role holder by now has none."""
    stream = membership_id(me.community.id, member)
    before = (await commands.load(MEMBERSHIP, stream)).state
    returns = before is not None and before.times_joined > 0 and before.status == "applicant"
    renaming = await without_a_taken_name(member, me, commands, db) if returns else Renaming()
    accepted = permitted(me, change(MEMBERSHIP, lambda state: accept(state, member)))
    found, *renamed = await commands.execute_together(
        [StreamDecision(MEMBERSHIP, stream, accepted, expect), *renaming.steps],
        on=bases(me),
        secrets=renaming.secrets,
    )
    for each in (found, *renamed):
        await commands.vault.forget(me.community.id, each.superseded)
    return await show(member, found, me, commands)


@router.post("/{member}/decline", operation_id="decline_member", summary="Decline an application")
async def decline_member(
    member: UUID, me: Moderator, commands: Commanding, expect: IfMatch, body: Declining | None = None
) -> MemberAnswer:
    """The reason is shown to the applicant, who may apply again."""
    stream = membership_id(me.community.id, member)
    before = (await commands.load(MEMBERSHIP, stream)).state
    reason = body.reason if body else None
    # About the applicant, so it is the applicant whom the vault forgets it with.
    text, secrets = await refer(
        commands.vault,
        me.community.id,
        member,
        {"reason": reason} if reason else None,
        len(reason or ""),
        before.reason if before and before.status == "declined" else None,
    )

    declined = permitted(me, change(MEMBERSHIP, lambda state: decline(state, member, text)))
    found = await commands.execute(MEMBERSHIP, stream, declined, on=bases(me), secrets=secrets, expect=expect)
    return await show(member, found, me, commands)
