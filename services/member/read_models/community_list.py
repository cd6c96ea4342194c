"""The list of communities: how each describes itself today, and how many members it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from services.member.events import (
    CommunityArchived,
    CommunityDescribed,
    CommunityFounded,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
)
from services.member.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, add, put
from shared.projections.read_model_table import read_model_table

community_list = read_model_table(
    "community_list",
    metadata,
    key=[sa.Column("community", UUID)],
    put=[
        sa.Column("slug", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("purpose", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("time_zone", sa.Text),
        sa.Column("visibility", sa.Text),
        sa.Column("admission", sa.Text),
        sa.Column("application_days", sa.Integer),
        sa.Column("archived", sa.Boolean),
        sa.Column("founded_at", sa.DateTime(timezone=True)),
    ],
    add=["members"],
    indexes=[
        sa.Index("ix_community_list_slug", "visibility", "slug"),
        sa.Index("ix_community_list_language", "visibility", "language", "slug"),
    ],
)

CommunityListEvent = (
    CommunityFounded | CommunityDescribed | CommunityArchived | MemberJoined | MemberLeft | MemberRemoved
)


def fold(event: CommunityListEvent, record: Recorded) -> Iterator[Change]:
    key = (record.community,)
    match event:
        case CommunityFounded(slug=slug):
            yield put(
                community_list,
                key,
                record.version,
                slug=slug,
                founded_at=record.occurred_at,
                archived=False,
                **_description(event),
            )
        case CommunityDescribed():
            yield put(community_list, key, record.version, **_description(event))
        case CommunityArchived():
            yield put(community_list, key, record.version, archived=True)
        case MemberJoined():
            yield add(community_list, key, members=1)
        case MemberLeft() | MemberRemoved():
            yield add(community_list, key, members=-1)
        case _:
            assert_never(event)


def _description(event: CommunityFounded | CommunityDescribed) -> dict[str, str | int]:
    return {
        "name": event.name,
        "purpose": event.purpose,
        "language": event.language,
        "time_zone": event.time_zone,
        "visibility": event.visibility,
        "admission": event.admission,
        "application_days": event.application_days,
    }


COMMUNITY_LIST = ReadModel("community_list", (community_list,), fold)
