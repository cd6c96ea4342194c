"""The threads: by channel, tag or author, newest or most recently active, with what has been said in each.

The thread's own stream puts its row and its tags; replies and comments come from streams of their own, so they only
add to it. When something happened last is a table of its own, put by all of them with the time as the version, so
that the newest wins whoever comes first. Activity is the opening, a reply or a comment; what is deleted later does
not move it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, assert_never
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from services.content.events import (
    AcceptanceWithdrawn,
    AnswerAccepted,
    CommentDeleted,
    CommentPosted,
    ReplyDeleted,
    ReplyPosted,
    ThreadDeleted,
    ThreadEdited,
    ThreadOpened,
)
from services.content.tables import metadata
from shared.events.event import Recorded, Text
from shared.projections.read_model import Change, Put, ReadModel, add, drop, micros, put
from shared.projections.read_model_table import listing_index, read_model_table
from shared.web.editors import editor


def _key(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, PG_UUID) for name in names]


thread_list = read_model_table(
    "thread_list",
    metadata,
    key=_key("community", "thread"),
    put=[
        sa.Column("channel", PG_UUID),
        sa.Column("author", PG_UUID),
        sa.Column("text_ref", PG_UUID),
        sa.Column("tags", ARRAY(sa.Text)),
        sa.Column("opened_at", sa.DateTime(timezone=True)),
        sa.Column("edited_at", sa.DateTime(timezone=True)),
        sa.Column("edited_by", PG_UUID),
        sa.Column("imported_by", PG_UUID),
        sa.Column("accepted_reply", PG_UUID),
    ],
    add=["replies", "comments"],
    indexes=[
        listing_index("ix_thread_list_newest", "community", "opened_at", "thread"),
        listing_index("ix_thread_list_channel", "community", "channel", "opened_at", "thread"),
        listing_index("ix_thread_list_author", "community", "author", "opened_at", "thread"),
    ],
)

thread_activity = read_model_table(
    "thread_activity",
    metadata,
    key=_key("community", "thread"),
    put=[sa.Column("at", sa.DateTime(timezone=True))],
    indexes=[listing_index("ix_thread_activity_at", "community", "at", "thread")],
)

thread_tag = read_model_table(
    "thread_tag", metadata, key=[*_key("community"), sa.Column("tag", sa.Text), *_key("thread")]
)

FOR_GOOD: Final = 2**63 - 1
"""The version of a deleted thread's row: an acceptance that is withdrawn later does not bring the row back."""

ThreadListEvent = (
    ThreadOpened
    | ThreadEdited
    | ThreadDeleted
    | AnswerAccepted
    | AcceptanceWithdrawn
    | ReplyPosted
    | ReplyDeleted
    | CommentPosted
    | CommentDeleted
)


def fold(event: ThreadListEvent, record: Recorded) -> Iterator[Change]:
    community, thread, version, at = record.community, event.thread_id, record.version, record.occurred_at
    key = (community, thread)
    match event:
        case ThreadOpened(channel_id=channel, author_id=author, text=text, tags=tags):
            yield put(
                thread_list,
                key,
                version,
                channel=channel,
                author=author,
                text_ref=_ref(text),
                tags=list(tags),
                opened_at=at,
                edited_at=event.edited_at,
                imported_by=record.imported_by,
            )
            yield from (put(thread_tag, (community, tag, thread), version) for tag in tags)
            yield _active(key, record)
        case ThreadEdited(text=text, tags=tags, former_tags=former):
            words = {"text_ref": _ref(text), "edited_at": at, "edited_by": editor(record)}
            yield put(thread_list, key, version, **words, tags=list(tags))
            yield from (put(thread_tag, (community, tag, thread), version) for tag in tags if tag not in former)
            yield from (drop(thread_tag, (community, tag, thread), version) for tag in former if tag not in tags)
        case ThreadDeleted(tags=tags):
            yield drop(thread_list, key, FOR_GOOD)
            # Replies and comments put this row, too, in any order: what is gone says nothing of when.
            yield Put(thread_activity, key, FOR_GOOD, {"at": None}, gone=True)
            yield from (drop(thread_tag, (community, tag, thread), version) for tag in tags)
        case AnswerAccepted(reply_id=reply):
            yield put(thread_list, key, version, accepted_reply=reply)
        case AcceptanceWithdrawn():
            yield put(thread_list, key, version, accepted_reply=None)
        case ReplyPosted():
            yield add(thread_list, key, replies=1)
            yield _active(key, record)
        case ReplyDeleted():
            yield add(thread_list, key, replies=-1)
        case CommentPosted():
            yield from _on_thread(event, key, 1)
            yield _active(key, record)
        case CommentDeleted():
            yield from _on_thread(event, key, -1)
        case _:
            assert_never(event)


def _active(key: tuple[UUID, UUID], record: Recorded) -> Change:
    return put(thread_activity, key, micros(record.occurred_at), at=record.occurred_at)


def _on_thread(event: CommentPosted | CommentDeleted, key: tuple[UUID, UUID], one: int) -> Iterator[Change]:
    """Comments are counted where they stand: here those on the thread itself."""
    if event.target_id == event.thread_id:
        yield add(thread_list, key, comments=one)


def _ref(text: Text | None) -> UUID | None:
    return text.ref if text else None


THREAD_LIST = ReadModel("thread_list", (thread_list, thread_activity, thread_tag), fold)
