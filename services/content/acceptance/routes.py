"""The accepted answer of a thread over HTTP: accept, withdraw."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict

from services.content.acceptance.domain import accept, withdraw
from services.content.actors import actor
from services.content.events import AnswerAccepted
from services.content.replies.domain import REPLY
from services.content.replies.reply import EXAMPLE
from services.content.threads.domain import THREAD, Thread
from services.content.threads.routes import ThreadPath
from shared.web.access.permissions import Contributor, Participant
from shared.web.dependencies import Commanding, IfMatch
from shared.web.fields import Body

router = APIRouter(prefix="/threads/{thread_id}/accepted-answer", tags=["threads"])


class Acceptance(Body):
    reply_id: UUID

    model_config = ConfigDict(json_schema_extra={"examples": [{"reply_id": EXAMPLE["id"]}]})


@router.put("", status_code=204, operation_id="accept_answer", summary="Accept a reply as the answer")
async def accept_answer(
    thread_id: ThreadPath, body: Acceptance, me: Contributor, commands: Commanding, expect: IfMatch
) -> None:
    """By the thread's author or a moderator. It takes the place of another that was accepted before."""
    given = (await commands.load(THREAD, thread_id)).history.last_occasion(AnswerAccepted)
    await commands.execute(
        THREAD,
        thread_id,
        lambda state, reply: accept(state, reply, actor(me), given),
        on=[(REPLY, body.reply_id)],
        expect=expect,
        there=_answered,
    )


@router.delete("", status_code=204, operation_id="withdraw_acceptance", summary="Withdraw the acceptance")
async def withdraw_acceptance(thread_id: ThreadPath, me: Participant, commands: Commanding, expect: IfMatch) -> None:
    """By the thread's author, who gave it or a moderator; where nothing is accepted, nothing happens.

    Also by an author who has left, and in an archived community.
    """
    thread = await commands.load(THREAD, thread_id)
    given = thread.history.last_occasion(AnswerAccepted)
    withdraw(thread.state, actor(me), given)  # whose it is comes before the version it is at
    await commands.execute(
        THREAD, thread_id, lambda state: withdraw(state, actor(me), given), expect=expect, there=_answered
    )


def _answered(state: Thread) -> bool:
    return state.accepted is not None
