"""A comment stands on a thread or on a reply, is edited, and deleted for good; it is a stream of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.content.authorship import Actor, Revision, must_be_allowed, revised
from services.content.channels.domain import Channel
from services.content.events import CommentDeleted, CommentEdited, CommentPosted
from services.content.replies.domain import Reply
from services.content.replies.domain import existing as existing_reply
from services.content.threads.domain import Thread, writable_thread
from services.content.threads.domain import existing as existing_thread
from shared.events.decider import Decider
from shared.events.errors import Conflict, KeyReused, NotFound
from shared.events.event import Text

CommentEvent = CommentPosted | CommentEdited | CommentDeleted


@dataclass(frozen=True, slots=True)
class Comment:
    """`posted` is how it was posted; None before that."""

    posted: CommentPosted | None = None
    text: Text | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class CommentTarget:
    """What a comment stands on: a reply in a thread in a channel, or (`reply` None) the thread itself."""

    channel: Channel
    thread: Thread
    reply: Reply | None = None


def evolve(state: Comment, event: CommentEvent) -> Comment:
    match event:
        case CommentPosted(text=text):
            return Comment(event, text)
        case CommentEdited(text=text):
            return replace(state, text=text)
        case CommentDeleted():
            return replace(state, deleted=True)
        case _:
            assert_never(event)


COMMENT: Decider[Comment, CommentEvent] = Decider(
    "comment", Comment(), evolve, lambda comment: () if comment.deleted else (comment.text,)
)


def post(
    state: Comment,
    comment_id: UUID,
    place: CommentTarget,
    by: Actor,
    text: Text | None,
    edited_at: datetime | None = None,
) -> list[CommentEvent]:
    """Comment on what stands, in a channel that is not archived; every member may. `edited_at` as in the event."""
    posting = _posting(comment_id, place, by, text, edited_at)
    if state.posted == posting:
        return []
    if state.posted is not None:
        raise KeyReused("comment")
    writable_thread(place.thread, place.channel)
    if place.reply is not None and place.reply.deleted:
        raise Conflict("The reply was deleted.")
    return [posting]


def _posting(
    comment_id: UUID, place: CommentTarget, by: Actor, text: Text | None, edited_at: datetime | None
) -> CommentPosted:
    thread = existing_thread(place.thread)
    if place.reply is None:
        on, kind, author = thread.thread_id, "thread", thread.author_id
    else:
        reply = existing_reply(place.reply)
        on, kind, author = reply.reply_id, "reply", reply.author_id
    return CommentPosted(comment_id, thread.thread_id, on, kind, author, by.id, text, edited_at)


def edit(state: Comment, by: Actor, revision: Revision | None) -> list[CommentEvent]:
    """Put new words in the place of the old; None leaves them."""
    posted = existing(state)
    must_be_allowed(by, posted.author_id, "comment")
    if state.deleted:
        raise Conflict("The comment was deleted.")
    text = revised(state.text, revision)
    if text == state.text:
        return []
    return [CommentEdited(posted.comment_id, posted.thread_id, posted.target_id, posted.author_id, text)]


def delete(state: Comment, by: Actor) -> list[CommentEvent]:
    """Take it away."""
    posted = existing(state)
    must_be_allowed(by, posted.author_id, "comment")
    if state.deleted:
        return []
    return [CommentDeleted(posted.comment_id, posted.thread_id, posted.target_id, posted.author_id)]


def existing(state: Comment) -> CommentPosted:
    """How the comment was posted. Raises `NotFound` where there is none."""
    if state.posted is None:
        raise NotFound("There is no such comment.")
    return state.posted
