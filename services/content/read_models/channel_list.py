"""The channels: how each is called, who opens threads in it, and how many threads it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from sqlalchemy import Boolean, Index, Text
from sqlalchemy.dialects.postgresql import UUID

from services.content import events
from services.content.channels.domain import ChannelEvent
from services.content.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, add, put
from shared.projections.read_model_table import TIME, read_model_table

channel_list = read_model_table(
    "channel_list",
    metadata,
    key={"community": UUID, "channel": UUID},
    put={"name": Text, "posting": Text, "purpose": Text, "opened_at": TIME, "archived": Boolean, "imported_by": UUID},
    add=["threads"],
    indexes=[Index("ix_channel_list_opened", "community", "opened_at", "channel")],
)

ChannelListEvent = ChannelEvent | events.ThreadOpened | events.ThreadDeleted


def fold(event: ChannelListEvent, record: Recorded) -> Iterator[Change]:
    key, at, by = (record.community, event.channel_id), record.occurred_at, record.imported_by
    row = (channel_list, key, record.version)
    match event:
        case events.ChannelOpened(name=name, posting=posting, purpose=purpose):
            yield put(*row, name=name, posting=posting, purpose=purpose, opened_at=at, archived=False, imported_by=by)
        case events.ChannelRenamed(name=name):
            yield put(*row, name=name)
        case events.ChannelDescribed(purpose=purpose):
            yield put(*row, purpose=purpose)
        case events.ChannelArchived():
            yield put(*row, archived=True)
        case events.ThreadOpened():
            yield add(channel_list, key, threads=1)
        case events.ThreadDeleted():
            yield add(channel_list, key, threads=-1)
        case _:
            assert_never(event)


CHANNEL_LIST = ReadModel("channel_list", (channel_list,), fold)
