"""The discussion: the replies of a thread, and the comments on a thread or reply, each in the order they came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_never
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from services.content.events import (
    CommentDeleted,
    CommentEdited,
    CommentPosted,
    ReplyDeleted,
    ReplyEdited,
    ReplyPosted,
)
from services.content.tables import metadata
from shared.events.event import Recorded, Text
from shared.projections.read_model import Change, ReadModel, add, drop, put
from shared.projections.read_model_table import listing_index, read_model_table
from shared.web.editors import editor

reply_list = read_model_table(
    "reply_list",
    metadata,
    key=[sa.Column("community", PG_UUID), sa.Column("reply", PG_UUID)],
    put=[
        sa.Column("thread", PG_UUID),
        sa.Column("author", PG_UUID),
        sa.Column("text_ref", PG_UUID),
        sa.Column("posted_at", sa.DateTime(timezone=True)),
        sa.Column("edited_at", sa.DateTime(timezone=True)),
        sa.Column("edited_by", PG_UUID),
        sa.Column("imported_by", PG_UUID),
    ],
    add=["comments"],
    indexes=[listing_index("ix_reply_list_thread", "community", "thread", "posted_at", "reply")],
)

comment_list = read_model_table(
    "comment_list",
    metadata,
    key=[sa.Column("community", PG_UUID), sa.Column("comment", PG_UUID)],
    put=[
        sa.Column("thread", PG_UUID),
        sa.Column("target", PG_UUID),
        sa.Column("target_kind", sa.Text),
        sa.Column("author", PG_UUID),
        sa.Column("text_ref", PG_UUID),
        sa.Column("posted_at", sa.DateTime(timezone=True)),
        sa.Column("edited_at", sa.DateTime(timezone=True)),
        sa.Column("edited_by", PG_UUID),
        sa.Column("imported_by", PG_UUID),
    ],
    indexes=[listing_index("ix_comment_list_target", "community", "target", "posted_at", "comment")],
)

DiscussionEvent = ReplyPosted | ReplyEdited | ReplyDeleted | CommentPosted | CommentEdited | CommentDeleted


def fold(event: DiscussionEvent, record: Recorded) -> Iterator[Change]:
    community, version, at = record.community, record.version, record.occurred_at
    match event:
        case ReplyPosted(reply_id=reply, thread_id=thread, author_id=author, text=text):
            yield put(
                reply_list,
                (community, reply),
                version,
                thread=thread,
                author=author,
                text_ref=_ref(text),
                posted_at=at,
                edited_at=event.edited_at,
                imported_by=record.imported_by,
            )
        case ReplyEdited(reply_id=reply, text=text):
            yield put(reply_list, (community, reply), version, **_edited(text, record))
        case ReplyDeleted(reply_id=reply):
            yield drop(reply_list, (community, reply), version)
        case CommentPosted(comment_id=comment, thread_id=thread, target_kind=kind, author_id=author, text=text):
            yield put(
                comment_list,
                (community, comment),
                version,
                thread=thread,
                target=event.target_id,
                target_kind=kind,
                author=author,
                text_ref=_ref(text),
                posted_at=at,
                edited_at=event.edited_at,
                imported_by=record.imported_by,
            )
            yield from _on_reply(event, community, 1)
        case CommentEdited(comment_id=comment, text=text):
            yield put(comment_list, (community, comment), version, **_edited(text, record))
        case CommentDeleted(comment_id=comment):
            yield drop(comment_list, (community, comment), version)
            yield from _on_reply(event, community, -1)
        case _:
            assert_never(event)


def _edited(text: Text | None, record: Recorded) -> dict[str, Any]:
    return {"text_ref": _ref(text), "edited_at": record.occurred_at, "edited_by": editor(record)}


def _on_reply(event: CommentPosted | CommentDeleted, community: UUID, one: int) -> Iterator[Change]:
    """Comments are counted where they stand: here those on replies."""
    if event.target_id != event.thread_id:
        yield add(reply_list, (community, event.target_id), comments=one)


def _ref(text: Text | None) -> UUID | None:
    return text.ref if text else None


DISCUSSION = ReadModel("discussion", (reply_list, comment_list), fold)
