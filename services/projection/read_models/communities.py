"""What projection knows of a community itself: above all its time zone, by which its days are made."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from services.projection.subscriptions import CommunityDescribed, CommunityFounded
from services.projection.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, put
from shared.projections.read_model_table import read_model_table

COMMUNITY = read_model_table(
    "community",
    metadata,
    key=[sa.Column("community", sa.Uuid)],
    put=[
        sa.Column("slug", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("time_zone", sa.Text),
    ],
)


def fold(event: CommunityFounded | CommunityDescribed, record: Recorded) -> Iterator[Change]:
    description = {"name": event.name, "language": event.language, "time_zone": event.time_zone}
    if isinstance(event, CommunityFounded):
        description["slug"] = event.slug
    yield put(COMMUNITY, (record.community,), record.version, **description)


COMMUNITIES = ReadModel("communities", (COMMUNITY,), fold)
