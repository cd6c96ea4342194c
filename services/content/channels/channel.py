"""A channel as callers see it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from services.content.channels.domain import Channel, existing
from services.content.read_models.channel_list import channel_list
from shared.commands.commands import Outcome
from shared.web.dependencies import RequestCommands
from shared.web.fields import Answer
from shared.web.queries import Queries

EXAMPLE: JsonDict = {
    "id": "0198c1a0-1f2e-7a3b-9c4d-5e6f7a8b9c0d",
    "name": "Gardening",
    "purpose": "Everything that grows",
    "posting": "members",
    "archived": False,
    "threads": 42,
    "opened_at": "2026-03-01T09:00:00Z",
    "imported_by": None,
}


class ChannelAnswer(Answer):
    """A channel. `threads` are those that were not deleted, as the list has counted them."""

    id: UUID
    name: str
    purpose: str
    posting: str = Field(description="Who opens threads in it: members or moderators.")
    archived: bool
    threads: int
    opened_at: datetime
    imported_by: UUID | None = Field(description="Who brought it in by a backfill; null where it was done here.")

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


async def show(found: Outcome[Channel], commands: RequestCommands, db: Queries) -> ChannelAnswer:
    """A channel by its stream, its version as the ETag; with the number of threads that the list has counted."""
    opened = existing(found.state)
    channel = opened.channel_id
    threads = 0 if found.begun else await _threads(db, commands.act.community, channel)
    commands.tag(found.version, threads)
    return ChannelAnswer(
        id=channel,
        name=found.state.name,
        purpose=found.state.purpose,
        posting=opened.posting,
        archived=found.state.archived,
        threads=threads,
        opened_at=found.history.began_at,
        imported_by=found.history.imported_by,
    )


async def _threads(db: Queries, community: UUID, channel: UUID) -> int:
    row = channel_list.c
    counted = await db.execute(sa.select(row.threads).where(row.community == community, row.channel == channel))
    return counted.scalar_one_or_none() or 0
