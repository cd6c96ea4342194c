"""What one may engage with: every thread, reply and comment, who wrote it, and what it stands in.

Fed by the content topic. A reply stands in its thread, a comment on a thread or reply; what stands in something that
was deleted is gone with it, which is joined when read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_never
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from services.engagement.subscriptions import (
    CommentDeleted,
    CommentPosted,
    ReplyDeleted,
    ReplyPosted,
    ThreadDeleted,
    ThreadOpened,
)
from services.engagement.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, Put, ReadModel, put
from shared.projections.read_model_table import read_model_table

targets = read_model_table(
    "targets",
    metadata,
    key=[sa.Column("community", PG_UUID), sa.Column("target", PG_UUID)],
    put=[
        sa.Column("kind", sa.Text),
        sa.Column("author", PG_UUID),
        sa.Column("parent", PG_UUID),  # null for a thread
        sa.Column("thread", PG_UUID),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
    ],
)

TargetsEvent = ThreadOpened | ThreadDeleted | ReplyPosted | ReplyDeleted | CommentPosted | CommentDeleted


def fold(event: TargetsEvent, record: Recorded) -> Iterator[Change]:
    community, version = record.community, record.version
    match event:
        case ThreadOpened(thread_id=thread, author_id=author):
            yield put(targets, (community, thread), version, kind="thread", author=author, thread=thread)
        case ThreadDeleted(thread_id=thread):
            yield _deleted(thread, record)
        case ReplyPosted(reply_id=reply, thread_id=thread, author_id=author):
            yield put(targets, (community, reply), version, kind="reply", author=author, parent=thread, thread=thread)
        case ReplyDeleted(reply_id=reply):
            yield _deleted(reply, record)
        case CommentPosted(comment_id=comment, thread_id=thread, target_id=parent, author_id=author):
            yield put(
                targets, (community, comment), version, kind="comment", author=author, parent=parent, thread=thread
            )
        case CommentDeleted(comment_id=comment):
            yield _deleted(comment, record)
        case _:
            assert_never(event)


def _deleted(target: UUID, record: Recorded) -> Change:
    """Gone, and since when: what is brought in may be older."""
    return Put(targets, (record.community, target), record.version, {"deleted_at": record.occurred_at}, gone=True)


TARGETS = ReadModel("targets", (targets,), fold)


def not_deleted(community: UUID, target: UUID) -> sa.ColumnElement[bool]:
    """The condition that neither it nor what it stands in was deleted. What nobody has told of yet was not."""
    one, parent, thread = (targets.alias() for _ in range(3))

    def within(table: sa.FromClause, id_: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.community == community, table.c.target == id_)

    deleted = (
        sa.select(one.c.target)
        .outerjoin(parent, within(parent, one.c.parent))
        .outerjoin(thread, within(thread, one.c.thread))
        .where(one.c.community == community, one.c.target == target)
        .where(sa.or_(one.c.gone, sa.func.coalesce(parent.c.gone, False), sa.func.coalesce(thread.c.gone, False)))
    )
    return ~deleted.exists()
