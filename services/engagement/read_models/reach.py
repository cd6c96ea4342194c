"""How far a target got: how often it was viewed, and how often it was shared by each medium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from services.engagement.events import TargetShared, TargetViewed
from services.engagement.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, add
from shared.projections.read_model_table import read_model_table

view_count = read_model_table(
    "view_count",
    metadata,
    key=[sa.Column("community", UUID), sa.Column("target", UUID)],
    add=["views"],
)

share_count = read_model_table(
    "share_count",
    metadata,
    key=[sa.Column("community", UUID), sa.Column("target", UUID), sa.Column("medium", sa.Text)],
    add=["shares"],
)

ReachEvent = TargetViewed | TargetShared


def fold(event: ReachEvent, record: Recorded) -> Iterator[Change]:
    match event:
        case TargetViewed(target_id=target):
            yield add(view_count, (record.community, target), views=1)
        case TargetShared(target_id=target, medium=medium):
            yield add(share_count, (record.community, target, medium), shares=1)
        case _:
            assert_never(event)


REACH = ReadModel("reach", (view_count, share_count), fold)
