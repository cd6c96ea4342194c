"""Channels over HTTP: list, open, show, rename, archive."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Path, Query
from pydantic import Field

from services.content.channels.domain import CHANNEL, Channel, Posting, archive, rename
from services.content.events import ChannelOpened
from services.content.read_models.channel_list import CHANNEL_LIST, channel_list
from shared.commands.outcome import Outcome
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.web.access.permissions import Administrator, Reader
from shared.web.dependencies import Commanding, Db, IfMatch, fresh
from shared.web.fields import Answer, Body, name, words
from shared.web.paging import Listing, Page, SortOrder, page

router = APIRouter(prefix="/channels", tags=["channels"])
row = channel_list.c

EXAMPLE = {
    "id": "0198c1a0-1f2e-7a3b-9c4d-5e6f7a8b9c0d",
    "name": "Gardening",
    "purpose": "Everything that grows",
    "posting": "members",
    "archived": False,
    "threads": 42,
    "opened_at": "2026-03-01T09:00:00Z",
    "imported_by": None,
}
OLDEST: SortOrder = [(row.opened_at, "asc"), (row.channel, "asc")]

ChannelPath = Annotated[UUID, Path(description="A channel's id.", examples=[EXAMPLE["id"]])]
Name = Annotated[str, name(100)]


class NewChannel(Body, example={"name": "Gardening", "purpose": "Everything that grows"}):
    name: Name
    purpose: Annotated[str, words(1_000)] | None = None
    posting: Posting = Field("members", description="Who opens threads in it; every member may reply.")


class ChannelChange(Body, example={"name": "Plants"}):
    name: Name


class ChannelAnswer(Answer, example=EXAMPLE):
    """A channel. `threads` are those that were not deleted, as the list has counted them."""

    id: UUID
    name: str
    purpose: str
    posting: str = Field(description="Who opens threads in it: members or moderators.")
    archived: bool
    threads: int
    opened_at: datetime
    imported_by: UUID | None = Field(description="Who brought it in by a backfill; null where it was done here.")


async def show(found: Outcome[Channel], commands: Commanding, db: Db) -> ChannelAnswer:
    """A channel by its stream, its version as the ETag; with the number of threads that the list has counted."""
    listed = (row.community == commands.act.community, row.channel == found.state.id)
    threads = 0 if found.begun else await db.count(row.threads, *listed)
    commands.tag(found.version, threads)
    return ChannelAnswer.of(found.state, threads=threads)


@router.get("", operation_id="list_channels", summary="List channels")
async def list_channels(
    me: Reader,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(CHANNEL_LIST)],
    archived: Annotated[bool | None, Query(description="Only archived ones, or only others.")] = None,
) -> Listing[ChannelAnswer]:
    """In the order in which they were opened."""
    asked = [] if archived is None else [row.archived == archived]
    select = sa.select(channel_list, row.channel.label("id")).where(present(channel_list, me.community.id), *asked)
    rows, following = await page(db, select, OLDEST, paging, [row.name, row.purpose])
    return Listing(items=list(map(ChannelAnswer.of, rows)), next=following, freshness=freshness)


@router.post("", status_code=201, operation_id="open_channel", summary="Open a channel")
async def post_channel(body: NewChannel, me: Administrator, commands: Commanding, db: Db) -> ChannelAnswer:
    opened = ChannelOpened(commands.new_id(), body.name, body.posting, body.purpose or "")
    return await show(await commands.create(CHANNEL, opened.channel_id, opened, below="channels"), commands, db)


@router.get("/{channel_id}", operation_id="get_channel", summary="Show a channel")
async def get_channel(channel_id: ChannelPath, me: Reader, commands: Commanding, db: Db) -> ChannelAnswer:
    return await show(await commands.get(CHANNEL, channel_id), commands, db)


@router.patch("/{channel_id}", operation_id="rename_channel", summary="Rename a channel")
async def patch_channel(
    channel_id: ChannelPath, body: ChannelChange, me: Administrator, commands: Commanding, db: Db, expect: IfMatch
) -> ChannelAnswer:
    renamed = await commands.change(CHANNEL, channel_id, lambda state: rename(state, body.name), expect=expect)
    return await show(renamed, commands, db)


@router.post("/{channel_id}/archive", operation_id="archive_channel", summary="Archive a channel")
async def archive_channel(
    channel_id: ChannelPath, me: Administrator, commands: Commanding, db: Db, expect: IfMatch
) -> ChannelAnswer:
    """For good: it takes no new threads, replies and comments, and can still be read."""
    return await show(await commands.change(CHANNEL, channel_id, archive, expect=expect), commands, db)
