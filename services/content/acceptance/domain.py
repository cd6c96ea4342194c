"""A thread has one accepted answer at most; its author or a moderator accepts, and may withdraw.

Decided on the thread's stream. Taking an acceptance back says when it was given, so that a reader undoes it on its day.
"""

from __future__ import annotations

from uuid import UUID

from services.content.authorship import Actor, must_be_allowed
from services.content.events import AcceptanceWithdrawn, AnswerAccepted
from services.content.replies.domain import Reply
from services.content.threads.domain import Thread, ThreadEvent
from shared.events.errors import Conflict, NotFound


def accept(state: Thread, reply: Reply | None, by: Actor) -> list[ThreadEvent]:
    """Accept a reply as the answer; another that was accepted before is withdrawn in the same append."""
    must_be_allowed(by, state.author_id, "thread")
    if reply is None or reply.thread_id != state.id:
        raise NotFound("There is no such reply in this thread.", pointer="/reply_id")
    if state.accepted_reply_id == reply.id:
        return []
    if state.deleted:
        raise Conflict("The thread was deleted.")
    if reply.deleted:
        raise Conflict("The reply was deleted; accept one that stands.", pointer="/reply_id")
    before = None if by.id is None else state.taken_back.get((reply.id, by.id))
    return [*_withdrawn(state), AnswerAccepted(state.id, reply.id, by.id, reply.author_id, before)]


def withdraw(state: Thread, by: Actor) -> list[ThreadEvent]:
    """Take the acceptance back; without one that stands, nothing happens.

    Who gave it may, too: a moderator of then, who is none any more.
    """
    if state.accepted is None or not by.owns(state.accepted.accepted_by_id):
        must_be_allowed(by, state.author_id, "thread")
    return _withdrawn(state)


def withdraw_from(state: Thread, reply_id: UUID) -> list[ThreadEvent]:
    """Take the acceptance back from a reply that is being deleted, if it has it."""
    return _withdrawn(state) if state.accepted_reply_id == reply_id else []


def _withdrawn(state: Thread) -> list[ThreadEvent]:
    was = state.accepted
    if was is None:
        return []
    assert state.given_at is not None, "what stands was given"
    return [AcceptanceWithdrawn(was.thread_id, was.reply_id, was.accepted_by_id, was.answer_author_id, state.given_at)]


def accepted_here(state: Thread, reply_id: UUID) -> bool:
    """Whether the reply is the answer that somebody accepted here themselves: it is these words that they accepted."""
    return state.accepted_reply_id == reply_id and state.settled is not None and state.settled.imported_by is None
