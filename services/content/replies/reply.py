"""A reply as callers see it: from its stream or a row of the discussion, with the words from the vault."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from services.content.bodies import BodyText, read, words_of
from services.content.events import AnswerAccepted, ReplyEdited
from services.content.read_models.discussion import reply_list
from services.content.replies.domain import Reply, existing
from shared.commands.commands import Outcome
from shared.vault import Vault
from shared.web.dependencies import RequestCommands
from shared.web.editors import EditedBy, edited
from shared.web.fields import Answer
from shared.web.queries import Queries

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


class ReplyAnswer(Answer):
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

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


async def show(
    found: Outcome[Reply], accepted: AnswerAccepted | None, commands: RequestCommands, db: Queries
) -> ReplyAnswer:
    """A reply by its stream, its version as the ETag; `accepted` is what its thread has accepted."""
    state, community = found.state, commands.act.community
    posted = existing(state)
    is_accepted = accepted is not None and accepted.reply_id == posted.reply_id
    comments = 0 if found.begun else await _comments(db, community, posted.reply_id)
    commands.tag(found.version, is_accepted, comments)
    body_text = BodyText() if state.deleted else await words_of(commands.vault, community, state.text)
    return ReplyAnswer(
        id=posted.reply_id,
        thread_id=posted.thread_id,
        author_id=posted.author_id,
        title=body_text.title,
        body=body_text.body,
        deleted=state.deleted,
        accepted=is_accepted,
        comments=comments,
        posted_at=found.history.began_at,
        **edited(found.history.last(ReplyEdited), posted.edited_at),
        imported_by=found.history.imported_by,
    )


async def _comments(db: Queries, community: UUID, reply: UUID) -> int:
    row = reply_list.c
    counted = await db.execute(sa.select(row.comments).where(row.community == community, row.reply == reply))
    return counted.scalar_one_or_none() or 0


async def show_rows(
    rows: Sequence[sa.Row[Any]], accepted: AnswerAccepted | None, community: UUID, vault: Vault
) -> list[ReplyAnswer]:
    """Rows of the discussion; one look into the vault for all of them."""
    kept = await read(vault, community, (row.text_ref for row in rows))
    nothing = BodyText()
    return [
        ReplyAnswer(
            id=row.reply,
            thread_id=row.thread,
            author_id=row.author,
            title=kept.get(row.text_ref, nothing).title,
            body=kept.get(row.text_ref, nothing).body,
            deleted=False,
            accepted=accepted is not None and accepted.reply_id == row.reply,
            comments=row.comments,
            posted_at=row.posted_at,
            edited_at=row.edited_at,
            edited_by=row.edited_by,
            imported_by=row.imported_by,
        )
        for row in rows
    ]
