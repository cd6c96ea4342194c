"""The tags: how many threads stand under each. An edit says what stood before, so that it can be counted off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from services.content.events import ThreadDeleted, ThreadEdited, ThreadOpened
from services.content.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, add
from shared.projections.read_model_table import read_model_table

tag_list = read_model_table(
    "tag_list",
    metadata,
    key=[sa.Column("community", UUID), sa.Column("tag", sa.Text)],
    add=["threads"],
    indexes=[sa.Index("ix_tag_list_most", "community", "threads", "tag")],
)

TagListEvent = ThreadOpened | ThreadEdited | ThreadDeleted


def fold(event: TagListEvent, record: Recorded) -> Iterator[Change]:
    match event:
        case ThreadOpened(tags=tags):
            yield from _count(record, tags, 1)
        case ThreadEdited(tags=tags, former_tags=former):
            yield from _count(record, [tag for tag in tags if tag not in former], 1)
            yield from _count(record, [tag for tag in former if tag not in tags], -1)
        case ThreadDeleted(tags=tags):
            yield from _count(record, tags, -1)
        case _:
            assert_never(event)


def _count(record: Recorded, tags: Iterable[str], one: int) -> Iterator[Change]:
    for tag in tags:
        yield add(tag_list, (record.community, tag), threads=one)


TAG_LIST = ReadModel("tag_list", (tag_list,), fold)
