"""The accepted answer of a thread over HTTP: accept, withdraw."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from services.content.acceptance.domain import accept, withdraw
from services.content.actors import actor
from services.content.replies.domain import REPLY
from services.content.replies.reply import EXAMPLE
from services.content.threads.domain import THREAD, Thread
from services.content.threads.routes import ThreadPath
from shared.web.access.permissions import Contributor, Participant
from shared.web.dependencies import Commanding, IfMatch
from shared.web.fields import Body

router = APIRouter(prefix="/threads/{thread_id}/accepted-answer", tags=["threads"])


class Acceptance(Body, example={"reply_id": EXAMPLE["id"]}):
    reply_id: UUID


@router.put("", status_code=204, operation_id="accept_answer", summary="Accept a reply as the answer")
async def accept_answer(
    thread_id: ThreadPath, body: Acceptance, me: Contributor, commands: Commanding, expect: IfMatch
) -> None:
    """By the thread's author or a moderator. It takes the place of another that was accepted before."""
    await commands.change(
        THREAD,
        thread_id,
        lambda state, reply: accept(state, reply, actor(me)),
        on=[(REPLY, body.reply_id)],
        expect=expect,
        there=_answered,
    )


@router.delete("", status_code=204, operation_id="withdraw_acceptance", summary="Withdraw the acceptance")
async def withdraw_acceptance(thread_id: ThreadPath, me: Participant, commands: Commanding, expect: IfMatch) -> None:
    """By the thread's author, who gave it or a moderator; where nothing is accepted, nothing happens.

    Also by an author who has left, and in an archived community.
    """
    withdraw((await commands.get(THREAD, thread_id)).state, actor(me))  # whose it is comes before the version it is at
    await commands.change(THREAD, thread_id, lambda state: withdraw(state, actor(me)), expect=expect, there=_answered)


def _answered(state: Thread) -> bool:
    return state.accepted is not None
