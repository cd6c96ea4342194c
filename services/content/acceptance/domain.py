"""A thread has one accepted answer at most; its author or a moderator accepts, and may withdraw.

Decided on the thread's stream. Taking an acceptance back says when it was given, so that a reader undoes it on its day.
"""

from __future__ import annotations

from uuid import UUID

from services.content.authorship import Actor, must_be_allowed
from services.content.events import AcceptanceWithdrawn, AnswerAccepted
from services.content.replies.domain import Reply
from services.content.threads.domain import Thread, ThreadEvent, existing
from shared.events.errors import Conflict, NotFound
from shared.events.history import Occurrence


def accept(state: Thread, reply: Reply, by: Actor, earlier: Occurrence | None) -> list[ThreadEvent]:
    """Accept a reply as the answer; another that was accepted before (`earlier`) is withdrawn in the same append."""
    thread = existing(state)
    must_be_allowed(by, thread.author_id, "thread")
    if reply.posted is None or reply.posted.thread_id != thread.thread_id:
        raise NotFound("There is no such reply in this thread.", pointer="/reply_id")
    if state.accepted is not None and state.accepted.reply_id == reply.posted.reply_id:
        return []
    if state.deleted:
        raise Conflict("The thread was deleted.")
    if reply.deleted:
        raise Conflict("The reply was deleted; accept one that stands.", pointer="/reply_id")
    before = None if by.id is None else state.taken_back.get((reply.posted.reply_id, by.id))
    answer = AnswerAccepted(thread.thread_id, reply.posted.reply_id, by.id, reply.posted.author_id, before)
    return [*_withdrawn(state, earlier), answer]


def withdraw(state: Thread, by: Actor, given: Occurrence | None) -> list[ThreadEvent]:
    """Take the acceptance back that was `given`; without one that stands, nothing happens.

    Who gave it may, too: a moderator of then, who is none any more.
    """
    thread = existing(state)
    if state.accepted is None or not by.owns(state.accepted.accepted_by_id):
        must_be_allowed(by, thread.author_id, "thread")
    return _withdrawn(state, given)


def withdraw_from(state: Thread, reply_id: UUID, given: Occurrence | None) -> list[ThreadEvent]:
    """Take the acceptance back from a reply that is being deleted, if it has it."""
    if state.accepted is None or state.accepted.reply_id != reply_id:
        return []
    return _withdrawn(state, given)


def _withdrawn(state: Thread, given: Occurrence | None) -> list[ThreadEvent]:
    was = state.accepted
    if was is None:
        return []
    if given is None or given.number != state.acceptances:
        raise Conflict("Another answer was accepted at the same moment. Read the thread again.", retry_after=1)
    return [AcceptanceWithdrawn(was.thread_id, was.reply_id, was.accepted_by_id, was.answer_author_id, given.at)]
