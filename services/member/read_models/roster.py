"""The roster: who is here and since when, who is a robot, which roles each holds, and where each profile's words are.

The membership, the profile and (for `owner`) the community are different streams, so each puts rows of its own table;
they are joined when read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from services.member.events import (
    ApplicationDeclined,
    ApplicationExpired,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    ProfileUpdated,
    RobotMarked,
    RobotUnmarked,
    RoleGranted,
    RoleRevoked,
)
from services.member.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, drop, put
from shared.projections.read_model_table import read_model_table

roster = read_model_table(
    "roster",
    metadata,
    key=[sa.Column("community", UUID), sa.Column("member", UUID)],
    put=[
        sa.Column("status", sa.Text),
        sa.Column("since", sa.DateTime(timezone=True)),  # when that status began
        sa.Column("robot", sa.Boolean),
        sa.Column("imported_by", UUID),
    ],
    indexes=[
        sa.Index("ix_roster_newest", "community", "status", "since", "member"),
        sa.Index("ix_roster_robots", "community", "status", "since", "member", postgresql_where=sa.text("robot")),
    ],
)

role_holder = read_model_table(
    "role_holder",
    metadata,
    key=[sa.Column("community", UUID), sa.Column("role", sa.Text), sa.Column("member", UUID)],
    put=[sa.Column("since", sa.DateTime(timezone=True))],
    indexes=[sa.Index("ix_role_holder_member", "community", "member")],
)

profile_words = read_model_table(
    "profile_words",
    metadata,
    key=[sa.Column("community", UUID), sa.Column("member", UUID)],
    put=[sa.Column("ref", UUID)],
)

RosterEvent = (
    MemberJoined
    | ApplicationSubmitted
    | ApplicationWithdrawn
    | ApplicationDeclined
    | ApplicationExpired
    | MemberLeft
    | MemberRemoved
    | RobotMarked
    | RobotUnmarked
    | RoleGranted
    | RoleRevoked
    | ProfileUpdated
)


def fold(event: RosterEvent, record: Recorded) -> Iterator[Change]:
    member, since = (record.community, event.member_id), record.occurred_at
    match event:
        case MemberJoined():
            brought = {"imported_by": record.imported_by}
            yield put(roster, member, record.version, status="member", since=since, **brought)
        case ApplicationSubmitted():
            yield put(roster, member, record.version, status="applicant", since=since)
        case ApplicationWithdrawn():
            yield put(roster, member, record.version, status="withdrawn", since=since)
        case ApplicationDeclined():
            yield put(roster, member, record.version, status="declined", since=since)
        case ApplicationExpired():
            yield put(roster, member, record.version, status="expired", since=since)
        case MemberLeft():
            yield put(roster, member, record.version, status="left", since=since)
        case MemberRemoved():
            yield put(roster, member, record.version, status="removed", since=since)
        case RobotMarked():
            yield put(roster, member, record.version, robot=True)
        case RobotUnmarked():
            yield put(roster, member, record.version, robot=False)
        case RoleGranted(member_id=holder, role=role):
            yield put(role_holder, (record.community, role, holder), record.version, since=since)
        case RoleRevoked(member_id=holder, role=role):
            yield drop(role_holder, (record.community, role, holder), record.version)
        case ProfileUpdated(profile=words):
            yield put(profile_words, member, record.version, ref=words.ref)
        case _:
            assert_never(event)


ROSTER = ReadModel("roster", (roster, role_holder, profile_words), fold)
