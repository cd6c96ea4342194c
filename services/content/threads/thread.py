"""A thread as callers see it: from its stream or a row of the list, with the words from the vault."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field
from pydantic.config import JsonDict

from services.content.bodies import words_in
from services.content.read_models.thread_list import thread_activity, thread_list
from services.content.threads.domain import Thread
from shared.commands.outcome import Outcome
from shared.vault import Vault
from shared.web.editors import EditedBy
from shared.web.fields import Answer
from shared.web.queries import Queries
from shared.web.request_commands import RequestCommands

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


class ThreadAnswer(Answer, example=EXAMPLE):
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


AS_SHOWN = (
    thread_list,
    thread_list.c.thread.label("id"),
    thread_list.c.channel.label("channel_id"),
    thread_list.c.author.label("author_id"),
    thread_list.c.accepted_reply.label("accepted_reply_id"),
    sa.false().label("deleted"),
    thread_activity.c.at.label("active_at"),
)
"""What is selected of the list to be shown."""


async def show(found: Outcome[Thread], commands: RequestCommands, db: Queries) -> ThreadAnswer:
    """A thread by its stream, its version as the ETag; with what the list has counted."""
    state, community = found.state, commands.act.community
    listed = None if found.begun else (await db.execute(_counted(community, state.id))).one_or_none()
    replies, comments = (listed.replies, listed.comments) if listed is not None else (0, 0)
    active_at = (listed.at if listed is not None else None) or state.opened_at
    commands.tag(found.version, replies, comments, active_at if active_at != state.opened_at else None)
    counts = {"replies": replies, "comments": comments, "active_at": active_at}
    (shown,) = await show_all([state], community, commands.vault, **counts)
    return shown


def _counted(community: UUID, thread: UUID) -> sa.Select[tuple[int, int, datetime | None]]:
    row, last = thread_list.c, thread_activity.c
    return (
        sa.select(row.replies, row.comments, last.at)
        .outerjoin(thread_activity, sa.and_(last.community == row.community, last.thread == row.thread))
        .where(row.community == community, row.thread == thread)
    )


async def show_all(
    threads: Sequence[Thread | sa.Row[Any]], community: UUID, vault: Vault, **counts: Any
) -> list[ThreadAnswer]:
    """Threads by their streams, with what was counted, or by rows of `AS_SHOWN`; one look into the vault for all."""
    words = await words_in(vault, community, (thread.text_ref for thread in threads))
    return [
        ThreadAnswer.of(thread, title=text.title, body=text.body, tags=[] if thread.deleted else thread.tags, **counts)
        for thread, text in zip(threads, words, strict=True)
    ]
