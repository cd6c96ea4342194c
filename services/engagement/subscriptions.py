"""What engagement reads of the content service's events: the same wire names, and only the fields that it needs.

A field that is left out here is ignored when an event is decoded; a test decodes the published samples with these.
"""

from __future__ import annotations

from uuid import UUID

from shared.events.event import Event


class ThreadOpened(Event, frozen=True, tag="guildhall.content.thread-opened.v1"):
    thread_id: UUID
    author_id: UUID | None


class ThreadDeleted(Event, frozen=True, tag="guildhall.content.thread-deleted.v1"):
    thread_id: UUID


class ReplyPosted(Event, frozen=True, tag="guildhall.content.reply-posted.v1"):
    reply_id: UUID
    thread_id: UUID
    author_id: UUID | None


class ReplyDeleted(Event, frozen=True, tag="guildhall.content.reply-deleted.v1"):
    reply_id: UUID


class CommentPosted(Event, frozen=True, tag="guildhall.content.comment-posted.v1"):
    comment_id: UUID
    thread_id: UUID
    target_id: UUID
    author_id: UUID | None


class CommentDeleted(Event, frozen=True, tag="guildhall.content.comment-deleted.v1"):
    comment_id: UUID
