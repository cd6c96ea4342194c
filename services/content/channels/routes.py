"""Channels over HTTP: list, open, show, rename, archive."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field

from services.content.channels.channel import EXAMPLE, ChannelAnswer, show
from services.content.channels.domain import CHANNEL, Posting, archive, open_channel, rename
from services.content.read_models.channel_list import CHANNEL_LIST, channel_list
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.web.access.permissions import Administrator, Reader
from shared.web.dependencies import Commanding, Db, IfMatch, fresh
from shared.web.fields import Body, name, words
from shared.web.paging import Listing, Page, SortOrder, page

router = APIRouter(prefix="/channels", tags=["channels"])

ChannelPath = Annotated[UUID, Path(description="A channel's id.", examples=[EXAMPLE["id"]])]

Name = Annotated[str, name(100)]
Purpose = Annotated[str, words(1_000)]

OLDEST: SortOrder = [(channel_list.c.opened_at, "asc"), (channel_list.c.channel, "asc")]


class NewChannel(Body):
    name: Name
    purpose: Purpose | None = None
    posting: Posting = Field("members", description="Who opens threads in it; every member may reply.")

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Gardening", "purpose": "Everything that grows"}]}
    )


class ChannelChange(Body):
    name: Name

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Plants"}]})


@router.get("", operation_id="list_channels", summary="List channels")
async def list_channels(
    me: Reader,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(CHANNEL_LIST)],
    archived: Annotated[bool | None, Query(description="Only archived ones, or only others.")] = None,
) -> Listing[ChannelAnswer]:
    """In the order in which they were opened."""
    row = channel_list.c
    select = sa.select(row.channel.label("id"), *(row[name] for name in _SHOWN)).where(
        present(channel_list), row.community == me.community.id
    )
    if archived is not None:
        select = select.where(row.archived == archived)
    rows, following = await page(db, select, OLDEST, paging, [row.name, row.purpose])
    return Listing(items=[ChannelAnswer.model_validate(row) for row in rows], next=following, freshness=freshness)


_SHOWN = ("name", "purpose", "posting", "archived", "threads", "opened_at", "imported_by")


@router.post("", status_code=201, operation_id="open_channel", summary="Open a channel")
async def post_channel(body: NewChannel, me: Administrator, commands: Commanding, db: Db) -> ChannelAnswer:
    channel_id, purpose = commands.new_id(), body.purpose or ""
    opened = await commands.execute(
        CHANNEL, channel_id, lambda state: open_channel(state, channel_id, body.name, body.posting, purpose)
    )
    shown = await show(opened, commands, db)
    commands.created("channels", channel_id)
    return shown


@router.get("/{channel_id}", operation_id="get_channel", summary="Show a channel")
async def get_channel(channel_id: ChannelPath, me: Reader, commands: Commanding, db: Db) -> ChannelAnswer:
    return await show(await commands.load(CHANNEL, channel_id), commands, db)


@router.patch("/{channel_id}", operation_id="rename_channel", summary="Rename a channel")
async def patch_channel(
    channel_id: ChannelPath,
    body: ChannelChange,
    me: Administrator,
    commands: Commanding,
    db: Db,
    expect: IfMatch,
) -> ChannelAnswer:
    renamed = await commands.execute(CHANNEL, channel_id, lambda state: rename(state, body.name), expect=expect)
    return await show(renamed, commands, db)


@router.post("/{channel_id}/archive", operation_id="archive_channel", summary="Archive a channel")
async def archive_channel(
    channel_id: ChannelPath, me: Administrator, commands: Commanding, db: Db, expect: IfMatch
) -> ChannelAnswer:
    """For good: it takes no new threads, replies and comments, and can still be read."""
    return await show(await commands.execute(CHANNEL, channel_id, archive, expect=expect), commands, db)
