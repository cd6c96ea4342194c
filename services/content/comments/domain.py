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
from services.content.threads.domain import Thread, takes_replies
from shared.events.decider import Decider, begun
from shared.events.errors import Conflict
from shared.events.event import Text
from shared.events.fact import Fact

CommentEvent = CommentPosted | CommentEdited | CommentDeleted


@dataclass(frozen=True, slots=True)
class Comment:
    """`edited_at` is when its words were edited last, also before it was brought in; `edits` counts those since."""

    id: UUID
    thread_id: UUID
    target_id: UUID
    target_kind: str
    author_id: UUID | None
    text: Text | None
    posted_at: datetime
    imported_by: UUID | None
    edited_at: datetime | None
    edited_by: UUID | None = None
    edits: int = 0
    deleted_at: datetime | None = None

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def text_ref(self) -> UUID | None:
        """The reference to its words, where they are shown."""
        return None if self.deleted or self.text is None else self.text.ref


def evolve(state: Comment | None, fact: Fact[CommentEvent]) -> Comment:
    match fact.event:
        case CommentPosted(id_, thread, target, kind, _, author, text, edited_at):
            return Comment(id_, thread, target, kind, author, text, fact.at, fact.imported_by, edited_at)
        case CommentEdited(text=text):
            state = begun(state)
            return replace(state, text=text, edited_at=fact.at, edited_by=fact.by, edits=state.edits + 1)
        case CommentDeleted():
            return replace(begun(state), deleted_at=fact.at)
        case _:
            assert_never(fact.event)


COMMENT: Decider[Comment, CommentEvent] = Decider(
    "comment", evolve, lambda comment: () if comment.deleted else (comment.text,)
)


def on(
    comment_id: UUID,
    target: Thread | Reply,
    author_id: UUID | None,
    text: Text | None,
    edited_at: datetime | None = None,
) -> CommentPosted:
    """A comment on a thread or a reply; every member may, where `takes_comments` does not object."""
    thread_id, kind = (target.id, "thread") if isinstance(target, Thread) else (target.thread_id, "reply")
    return CommentPosted(comment_id, thread_id, target.id, kind, target.author_id, author_id, text, edited_at)


def takes_comments(channel: Channel | None, thread: Thread | None, reply: Reply | None = None) -> None:
    """Raises what forbids to comment on a thread or (where there is one) its reply: one of them takes nothing new."""
    takes_replies(thread, channel)
    if reply is not None and reply.deleted:
        raise Conflict("The reply was deleted.")


def edit(state: Comment, by: Actor, revision: Revision | None) -> list[CommentEvent]:
    """Put new words in the place of the old; None leaves them."""
    must_be_allowed(by, state.author_id, "comment")
    if state.deleted:
        raise Conflict("The comment was deleted.")
    text = revised(state.text, revision)
    if text == state.text:
        return []
    return [CommentEdited(state.id, state.thread_id, state.target_id, state.author_id, text)]


def delete(state: Comment, by: Actor) -> list[CommentEvent]:
    """Take it away."""
    must_be_allowed(by, state.author_id, "comment")
    return [] if state.deleted else [CommentDeleted(state.id, state.thread_id, state.target_id, state.author_id)]
