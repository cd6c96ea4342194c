"""Who belongs to a community, and since when; the way in and out is membership and no action."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from services.projection.subscriptions import MemberJoined, MemberLeft
from services.projection.tables import metadata
from shared.event import Recorded
from shared.views.view import Change, View, put, view_table

MEMBERSHIP = view_table(
    "membership",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("member", sa.Uuid)],
    put=[
        sa.Column("here", sa.Boolean),
        sa.Column("joined_at", sa.DateTime(timezone=True)),
        sa.Column("left_at", sa.DateTime(timezone=True)),
    ],
)


def fold(event: MemberJoined | MemberLeft, record: Recorded) -> Iterator[Change]:
    key = (record.community, event.member_id)
    if isinstance(event, MemberJoined):
        yield put(MEMBERSHIP, key, record.version, here=True, joined_at=record.occurred_at, left_at=None)
    else:
        yield put(MEMBERSHIP, key, record.version, here=False, left_at=record.occurred_at)


MEMBERSHIPS = View("memberships", (MEMBERSHIP,), fold)
