"""Every event of the content service: channels, threads, replies, comments, and which answer was accepted.

Ids named `…_id` that stand for people are member ids; None stands for nobody known. Title and body are in the vault,
`text` refers to them and counts the characters of the body; None where no words were brought in. `edited_at` is when
the words that something was brought in with had been edited last elsewhere, None where they had not.
"""

from __future__ import annotations

from uuid import UUID

from shared.events.event import Event, Instant, Text


class ChannelOpened(Event, frozen=True, tag="guildhall.content.channel-opened.v1"):
    """`posting` says who opens threads there: `members` or `moderators`. Name and purpose are the organisation's."""

    channel_id: UUID
    name: str
    posting: str
    purpose: str
    edited_at: Instant | None = None


class ChannelRenamed(Event, frozen=True, tag="guildhall.content.channel-renamed.v1"):
    channel_id: UUID
    name: str


class ChannelDescribed(Event, frozen=True, tag="guildhall.content.channel-described.v1"):
    """Its purpose is another one now."""

    channel_id: UUID
    purpose: str


class ChannelArchived(Event, frozen=True, tag="guildhall.content.channel-archived.v1"):
    channel_id: UUID


class ThreadOpened(Event, frozen=True, tag="guildhall.content.thread-opened.v1"):
    thread_id: UUID
    channel_id: UUID
    author_id: UUID | None
    text: Text | None
    tags: tuple[str, ...]
    edited_at: Instant | None = None


class ThreadEdited(Event, frozen=True, tag="guildhall.content.thread-edited.v1"):
    """`text` and `tags` are the whole of what stands now; `former_tags` stood before, for those who count by tag."""

    thread_id: UUID
    channel_id: UUID
    author_id: UUID | None
    text: Text | None
    tags: tuple[str, ...]
    former_tags: tuple[str, ...]


class ThreadDeleted(Event, frozen=True, tag="guildhall.content.thread-deleted.v1"):
    """`tags` are those it stood under until now."""

    thread_id: UUID
    channel_id: UUID
    author_id: UUID | None
    tags: tuple[str, ...]


class ReplyPosted(Event, frozen=True, tag="guildhall.content.reply-posted.v1"):
    reply_id: UUID
    thread_id: UUID
    thread_author_id: UUID | None
    author_id: UUID | None
    text: Text | None
    edited_at: Instant | None = None


class ReplyEdited(Event, frozen=True, tag="guildhall.content.reply-edited.v1"):
    reply_id: UUID
    thread_id: UUID
    author_id: UUID | None
    text: Text | None


class ReplyDeleted(Event, frozen=True, tag="guildhall.content.reply-deleted.v1"):
    reply_id: UUID
    thread_id: UUID
    author_id: UUID | None


class CommentPosted(Event, frozen=True, tag="guildhall.content.comment-posted.v1"):
    """`target_kind` is `thread` or `reply`; `thread_id` is the thread in which all of it is."""

    comment_id: UUID
    thread_id: UUID
    target_id: UUID
    target_kind: str
    target_author_id: UUID | None
    author_id: UUID | None
    text: Text | None
    edited_at: Instant | None = None


class CommentEdited(Event, frozen=True, tag="guildhall.content.comment-edited.v1"):
    comment_id: UUID
    thread_id: UUID
    target_id: UUID
    author_id: UUID | None
    text: Text | None


class CommentDeleted(Event, frozen=True, tag="guildhall.content.comment-deleted.v1"):
    comment_id: UUID
    thread_id: UUID
    target_id: UUID
    author_id: UUID | None


class AnswerAccepted(Event, frozen=True, tag="guildhall.content.answer-accepted.v1"):
    """A reply answers the thread's question; an earlier acceptance has been withdrawn just before.

    `given_before` is when the same member accepted the same reply last, which was taken back since; a day counts it
    once.
    """

    thread_id: UUID
    reply_id: UUID
    accepted_by_id: UUID | None
    answer_author_id: UUID | None
    given_before: Instant | None = None


class AcceptanceWithdrawn(Event, frozen=True, tag="guildhall.content.acceptance-withdrawn.v1"):
    """`accepted_by_id` and `accepted_at` are who gave the acceptance and when, so that a reader undoes it there."""

    thread_id: UUID
    reply_id: UUID
    accepted_by_id: UUID | None
    answer_author_id: UUID | None
    accepted_at: Instant
