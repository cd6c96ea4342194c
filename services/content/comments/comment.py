"""A comment as callers see it: from its stream or a row of the discussion, with the words from the vault."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from services.content.bodies import BodyText, read, words_of
from services.content.comments.domain import Comment, existing
from services.content.events import CommentEdited
from shared.commands.commands import Outcome
from shared.vault import Vault
from shared.web.dependencies import RequestCommands
from shared.web.editors import EditedBy, edited
from shared.web.fields import Answer

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


class CommentAnswer(Answer):
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

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


async def show(found: Outcome[Comment], commands: RequestCommands) -> CommentAnswer:
    """A comment by its stream, its version as the ETag."""
    state = found.state
    posted = existing(state)
    commands.tag(found.version)
    body_text = BodyText() if state.deleted else await words_of(commands.vault, commands.act.community, state.text)
    return CommentAnswer(
        id=posted.comment_id,
        thread_id=posted.thread_id,
        target_id=posted.target_id,
        target_kind=posted.target_kind,
        author_id=posted.author_id,
        body=body_text.body,
        deleted=state.deleted,
        posted_at=found.history.began_at,
        **edited(found.history.last(CommentEdited), posted.edited_at),
        imported_by=found.history.imported_by,
    )


async def show_rows(rows: Sequence[sa.Row[Any]], community: UUID, vault: Vault) -> list[CommentAnswer]:
    """Rows of the discussion; one look into the vault for all of them."""
    kept = await read(vault, community, (row.text_ref for row in rows))
    return [
        CommentAnswer(
            id=row.comment,
            thread_id=row.thread,
            target_id=row.target,
            target_kind=row.target_kind,
            author_id=row.author,
            body=kept.get(row.text_ref, BodyText()).body,
            deleted=False,
            posted_at=row.posted_at,
            edited_at=row.edited_at,
            edited_by=row.edited_by,
            imported_by=row.imported_by,
        )
        for row in rows
    ]
