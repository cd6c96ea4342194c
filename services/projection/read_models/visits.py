"""Who looked at something, by slot: kept apart from actions, since a visit makes nobody active."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from services.projection.days import slot_of
from services.projection.subscriptions import TargetViewed
from services.projection.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, add, include
from shared.projections.read_model_table import read_model_table

VISIT = read_model_table(
    "visit",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("slot", sa.Integer)],
    add=["n"],
    include=["members"],
)


def fold(event: TargetViewed, record: Recorded) -> Iterator[Change]:
    key = (record.community, slot_of(record.occurred_at))
    yield add(VISIT, key, n=1)
    if event.member_id is not None:
        yield include(VISIT, key, "members", event.member_id)


VISITS = ReadModel("visits", (VISIT,), fold)
