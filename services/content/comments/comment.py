"""A comment as callers see it: from its stream or a row of the discussion, with the words from the vault."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field
from pydantic.config import JsonDict

from services.content.bodies import words_in
from services.content.comments.domain import Comment
from services.content.read_models.discussion import comment_list
from shared.commands.outcome import Outcome
from shared.vault import Vault
from shared.web.editors import EditedBy
from shared.web.fields import Answer
from shared.web.request_commands import RequestCommands

EXAMPLE: JsonDict = {
    "id": "0198c1b0-3d4e-7f50-8a6b-7c8d9e0f1a2b",
    "thread_id": "0198c1a2-7b3c-7d4e-8f50-6a7b8c9d0e1f",
    "target_id": "0198c1a9-2c3d-7e4f-9a5b-6c7d8e9f0a1b",
    "target_kind": "reply",
    "author_id": "5b0e2f0c-7d1a-8a43-9c55-0a1b2c3d4e5f",
    "body": "Also after a mild winter?",
    "deleted": False,
    "posted_at": "2026-03-02T08:15:30Z",
    "edited_at": None,
    "edited_by": None,
    "imported_by": None,
}


class CommentAnswer(Answer, example=EXAMPLE):
    """A comment. The body is null where it was deleted, where it was erased, or where none was brought in."""

    id: UUID
    thread_id: UUID
    target_id: UUID
    target_kind: str = Field(description="What it stands on: thread or reply.")
    author_id: UUID | None = Field(description="Null where the author is not known.")
    body: str | None
    deleted: bool
    posted_at: datetime
    edited_at: datetime | None
    edited_by: EditedBy
    imported_by: UUID | None = Field(description="Who brought it in by a backfill; null where it was done here.")


AS_SHOWN = (
    comment_list,
    comment_list.c.comment.label("id"),
    comment_list.c.thread.label("thread_id"),
    comment_list.c.target.label("target_id"),
    comment_list.c.author.label("author_id"),
    sa.false().label("deleted"),
)
"""What is selected of the discussion to be shown."""


async def show(found: Outcome[Comment], commands: RequestCommands) -> CommentAnswer:
    """A comment by its stream, its version as the ETag."""
    commands.tag(found.version)
    (shown,) = await show_all([found.state], commands.act.community, commands.vault)
    return shown


async def show_all(comments: Sequence[Comment | sa.Row[Any]], community: UUID, vault: Vault) -> list[CommentAnswer]:
    """Comments by their streams or by rows of `AS_SHOWN`; one look into the vault for all of them."""
    words = await words_in(vault, community, (comment.text_ref for comment in comments))
    return [CommentAnswer.of(comment, body=text.body) for comment, text in zip(comments, words, strict=True)]
