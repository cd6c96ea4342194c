"""Who belongs to a community and when, and who is a robot; the way in and out is membership and no action.

Memberships are intervals: somebody who left and came again was a member before, too. So each joining and each leaving
stays, by the version of the membership's stream: the last one by the end of a day says whether it stood then. A robot
is one for all time, as long as the mark stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import sqlalchemy as sa

from services.projection.days import slot_of
from services.projection.subscriptions import MemberJoined, MemberLeft, MemberRemoved, RobotMarked, RobotUnmarked
from services.projection.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, add, put
from shared.projections.read_model_table import read_model_table

MEMBERSHIP = read_model_table(
    "membership",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("member", sa.Uuid), sa.Column("turn", sa.BigInteger)],
    put=[sa.Column("slot", sa.Integer), sa.Column("here", sa.Boolean)],
)
"""`here` from that slot on, until the next turn."""
ROBOT = read_model_table(
    "robot",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("member", sa.Uuid)],
    put=[sa.Column("marked", sa.Boolean)],
)
MEMBERSHIP_CHANGE = read_model_table("membership_change", metadata, key=[sa.Column("community", sa.Uuid)], add=["n"])
"""How often any of this changed: a reader keeps what it made of it until this moves."""


def fold(
    event: MemberJoined | MemberLeft | MemberRemoved | RobotMarked | RobotUnmarked, record: Recorded
) -> Iterator[Change]:
    key = (record.community, event.member_id)
    match event:
        case MemberJoined() | MemberLeft() | MemberRemoved():
            turn = (*key, record.version)
            here = isinstance(event, MemberJoined)
            yield put(MEMBERSHIP, turn, record.version, slot=slot_of(record.occurred_at), here=here)
        case RobotMarked() | RobotUnmarked():
            yield put(ROBOT, key, record.version, marked=isinstance(event, RobotMarked))
        case _:
            assert_never(event)
    yield add(MEMBERSHIP_CHANGE, (record.community,), n=1)


MEMBERSHIPS = ReadModel("memberships", (MEMBERSHIP, ROBOT, MEMBERSHIP_CHANGE), fold)
