"""A reply as callers see it: from its stream or a row of the discussion, with the words from the vault."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field
from pydantic.config import JsonDict

from services.content.bodies import words_in
from services.content.read_models.discussion import reply_list
from services.content.replies.domain import Reply
from services.content.threads.domain import Thread
from shared.commands.outcome import Outcome
from shared.vault import Vault
from shared.web.editors import EditedBy
from shared.web.fields import Answer
from shared.web.queries import Queries
from shared.web.request_commands import RequestCommands

EXAMPLE: JsonDict = {
    "id": "0198c1a9-2c3d-7e4f-9a5b-6c7d8e9f0a1b",
    "thread_id": "0198c1a2-7b3c-7d4e-8f50-6a7b8c9d0e1f",
    "author_id": "77aa1b2c-3d4e-8f50-9a6b-7c8d9e0f1a2b",
    "title": None,
    "body": "In late winter, when the buds begin to swell.",
    "deleted": False,
    "accepted": True,
    "comments": 1,
    "posted_at": "2026-03-01T14:20:00Z",
    "edited_at": None,
    "edited_by": None,
    "imported_by": None,
}


class ReplyAnswer(Answer, example=EXAMPLE):
    """A reply. Words are null where it was deleted, where they were erased, or where none were brought in."""

    id: UUID
    thread_id: UUID
    author_id: UUID | None = Field(description="Null where the author is not known.")
    title: str | None
    body: str | None
    deleted: bool
    accepted: bool = Field(description="Whether it is the accepted answer of its thread.")
    comments: int = Field(description="Comments on it, as the list has counted them.")
    posted_at: datetime
    edited_at: datetime | None
    edited_by: EditedBy
    imported_by: UUID | None = Field(description="Who brought it in by a backfill; null where it was done here.")


AS_SHOWN = (
    reply_list,
    reply_list.c.reply.label("id"),
    reply_list.c.thread.label("thread_id"),
    reply_list.c.author.label("author_id"),
    sa.false().label("deleted"),
)
"""What is selected of the discussion to be shown."""


async def show(found: Outcome[Reply], thread: Thread, commands: RequestCommands, db: Queries) -> ReplyAnswer:
    """A reply by its stream, its version as the ETag; `thread` says whether it is the accepted answer."""
    community, reply = commands.act.community, found.state.id
    comments = 0 if found.begun else await _comments(db, community, reply)
    commands.tag(found.version, thread.accepted_reply_id == reply, comments)
    (shown,) = await show_all([found.state], thread, community, commands.vault, comments=comments)
    return shown


async def _comments(db: Queries, community: UUID, reply: UUID) -> int:
    row = reply_list.c
    counted = await db.execute(sa.select(row.comments).where(row.community == community, row.reply == reply))
    return counted.scalar_one_or_none() or 0


async def show_all(
    replies: Sequence[Reply | sa.Row[Any]], thread: Thread, community: UUID, vault: Vault, **counts: int
) -> list[ReplyAnswer]:
    """Replies by their streams, with what was counted, or by rows of `AS_SHOWN`; one look into the vault for all."""
    words = await words_in(vault, community, (reply.text_ref for reply in replies))
    return [
        ReplyAnswer.of(reply, title=text.title, body=text.body, accepted=thread.accepted_reply_id == reply.id, **counts)
        for reply, text in zip(replies, words, strict=True)
    ]
