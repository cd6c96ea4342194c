"""The channels: how each is called, who opens threads in it, and how many threads it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from services.content.events import (
    ChannelArchived,
    ChannelDescribed,
    ChannelOpened,
    ChannelRenamed,
    ThreadDeleted,
    ThreadOpened,
)
from services.content.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, add, put
from shared.projections.read_model_table import read_model_table

channel_list = read_model_table(
    "channel_list",
    metadata,
    key=[sa.Column("community", UUID), sa.Column("channel", UUID)],
    put=[
        sa.Column("name", sa.Text),
        sa.Column("posting", sa.Text),
        sa.Column("purpose", sa.Text),
        sa.Column("opened_at", sa.DateTime(timezone=True)),
        sa.Column("archived", sa.Boolean),
        sa.Column("imported_by", UUID),
    ],
    add=["threads"],
    indexes=[sa.Index("ix_channel_list_opened", "community", "opened_at", "channel")],
)

ChannelListEvent = ChannelOpened | ChannelRenamed | ChannelDescribed | ChannelArchived | ThreadOpened | ThreadDeleted


def fold(event: ChannelListEvent, record: Recorded) -> Iterator[Change]:
    key, version = (record.community, event.channel_id), record.version
    match event:
        case ChannelOpened(name=name, posting=posting, purpose=purpose):
            yield put(
                channel_list,
                key,
                version,
                name=name,
                posting=posting,
                purpose=purpose,
                opened_at=record.occurred_at,
                archived=False,
                imported_by=record.imported_by,
            )
        case ChannelRenamed(name=name):
            yield put(channel_list, key, version, name=name)
        case ChannelDescribed(purpose=purpose):
            yield put(channel_list, key, version, purpose=purpose)
        case ChannelArchived():
            yield put(channel_list, key, version, archived=True)
        case ThreadOpened():
            yield add(channel_list, key, threads=1)
        case ThreadDeleted():
            yield add(channel_list, key, threads=-1)
        case _:
            assert_never(event)


CHANNEL_LIST = ReadModel("channel_list", (channel_list,), fold)
