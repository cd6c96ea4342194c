"""A thread as callers see it: from its stream or a row of the list, with the words from the vault."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from services.content.bodies import BodyText, read, words_of
from services.content.events import ThreadEdited
from services.content.read_models.thread_list import thread_activity, thread_list
from services.content.threads.domain import Thread, existing
from shared.commands.commands import Outcome
from shared.events.history import History
from shared.vault import Vault
from shared.web.dependencies import RequestCommands
from shared.web.editors import EditedBy, edited
from shared.web.fields import Answer
from shared.web.queries import Queries

EXAMPLE: JsonDict = {
    "id": "0198c1a2-7b3c-7d4e-8f50-6a7b8c9d0e1f",
    "channel_id": "0198c1a0-1f2e-7a3b-9c4d-5e6f7a8b9c0d",
    "author_id": "5b0e2f0c-7d1a-8a43-9c55-0a1b2c3d4e5f",
    "title": "When to prune roses?",
    "body": "Mine were planted last autumn.",
    "tags": ["roses", "pruning"],
    "deleted": False,
    "accepted_reply_id": "0198c1a9-2c3d-7e4f-9a5b-6c7d8e9f0a1b",
    "replies": 3,
    "comments": 1,
    "opened_at": "2026-03-01T12:00:00Z",
    "edited_at": None,
    "edited_by": None,
    "imported_by": None,
    "active_at": "2026-03-02T08:15:30Z",
}


class ThreadAnswer(Answer):
    """A thread. Title and body are null where it was deleted, where they were erased, or where none were brought in.

    The counts and `active_at` are as the list has them, a moment behind the rest.
    """

    id: UUID
    channel_id: UUID
    author_id: UUID | None = Field(description="Null where the author is not known.")
    title: str | None
    body: str | None
    tags: list[str]
    deleted: bool
    accepted_reply_id: UUID | None
    replies: int = Field(description="Replies that stand.")
    comments: int = Field(description="Comments on the thread itself; those on a reply are counted there.")
    opened_at: datetime
    edited_at: datetime | None
    edited_by: EditedBy
    imported_by: UUID | None = Field(description="Who brought it in by a backfill; null where it was done here.")
    active_at: datetime = Field(description="When it was opened, replied to or commented in last.")

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


async def show(found: Outcome[Thread], commands: RequestCommands, db: Queries) -> ThreadAnswer:
    """A thread by its stream, its version as the ETag; with what the list has counted."""
    state, history, community = found.state, found.history, commands.act.community
    opened = existing(state)
    counted = None if found.begun else (await db.execute(_counted(community, opened.thread_id))).one_or_none()
    commands.tag(found.version, *((counted.replies, counted.comments, _later(counted.at, history)) if counted else ()))
    body_text = BodyText() if state.deleted else await words_of(commands.vault, community, state.text)
    return ThreadAnswer(
        id=opened.thread_id,
        channel_id=opened.channel_id,
        author_id=opened.author_id,
        title=body_text.title,
        body=body_text.body,
        tags=[] if state.deleted else list(state.tags),
        deleted=state.deleted,
        accepted_reply_id=state.accepted.reply_id if state.accepted else None,
        replies=counted.replies if counted else 0,
        comments=counted.comments if counted else 0,
        opened_at=history.began_at,
        **edited(history.last(ThreadEdited), opened.edited_at),
        imported_by=history.imported_by,
        active_at=(counted.at if counted else None) or history.began_at,
    )


def _later(at: datetime | None, history: History) -> datetime | None:
    return at if at is not None and at != history.began_at else None


def _counted(community: UUID, thread: UUID) -> sa.Select[tuple[int, int, datetime | None]]:
    row, last = thread_list.c, thread_activity.c
    return (
        sa.select(row.replies, row.comments, last.at)
        .outerjoin(thread_activity, sa.and_(last.community == row.community, last.thread == row.thread))
        .where(row.community == community, row.thread == thread)
    )


async def show_rows(rows: Sequence[sa.Row[Any]], community: UUID, vault: Vault) -> list[ThreadAnswer]:
    """Rows of the list, each with `at` of its activity; one look into the vault for all of them."""
    kept = await read(vault, community, (row.text_ref for row in rows))
    nothing = BodyText()
    return [
        ThreadAnswer(
            id=row.thread,
            channel_id=row.channel,
            author_id=row.author,
            title=kept.get(row.text_ref, nothing).title,
            body=kept.get(row.text_ref, nothing).body,
            tags=row.tags,
            deleted=False,
            accepted_reply_id=row.accepted_reply,
            replies=row.replies,
            comments=row.comments,
            opened_at=row.opened_at,
            edited_at=row.edited_at,
            edited_by=row.edited_by,
            imported_by=row.imported_by,
            active_at=row.at,
        )
        for row in rows
    ]
