"""Each service keeps who is where and may do what, fed by the member service's events, and looks it up before acting.

`directory_lookup.py` reads it. A look-up that permits is believed for two seconds; one that refuses is never
remembered.
"""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from shared.events.event import Event, Recorded
from shared.projections.read_model import Change, ReadModel, put
from shared.projections.read_model_table import read_model_table
from shared.replicas.erasure import tombstones

VIEW = "directory"
SOURCE = "member"


class CommunityFounded(Event, frozen=True, tag="guildhall.member.community-founded.v1"):
    slug: str
    time_zone: str
    visibility: str
    admission: str


class CommunityDescribed(Event, frozen=True, tag="guildhall.member.community-described.v1"):
    time_zone: str
    visibility: str
    admission: str


class CommunityArchived(Event, frozen=True, tag="guildhall.member.community-archived.v1"):
    pass


class MemberJoined(Event, frozen=True, tag="guildhall.member.member-joined.v1"):
    member_id: UUID


class ApplicationSubmitted(Event, frozen=True, tag="guildhall.member.application-submitted.v1"):
    member_id: UUID


class ApplicationWithdrawn(Event, frozen=True, tag="guildhall.member.application-withdrawn.v1"):
    member_id: UUID


class ApplicationExpired(Event, frozen=True, tag="guildhall.member.application-expired.v1"):
    member_id: UUID


class ApplicationDeclined(Event, frozen=True, tag="guildhall.member.application-declined.v1"):
    member_id: UUID


class MemberLeft(Event, frozen=True, tag="guildhall.member.member-left.v1"):
    member_id: UUID


class MemberRemoved(Event, frozen=True, tag="guildhall.member.member-removed.v1"):
    member_id: UUID


class MemberErased(Event, frozen=True, tag="guildhall.member.member-erased.v1"):
    member_id: UUID


class RoleGranted(Event, frozen=True, tag="guildhall.member.role-granted.v1"):
    member_id: UUID
    role: str


class RoleRevoked(Event, frozen=True, tag="guildhall.member.role-revoked.v1"):
    member_id: UUID
    role: str


DirectoryEvent = (
    CommunityFounded
    | CommunityDescribed
    | CommunityArchived
    | MemberJoined
    | ApplicationSubmitted
    | ApplicationWithdrawn
    | ApplicationDeclined
    | ApplicationExpired
    | MemberLeft
    | MemberRemoved
    | MemberErased
    | RoleGranted
    | RoleRevoked
)


def _id(name: str) -> sa.Column[UUID]:
    return sa.Column(name, PG_UUID, nullable=False)


def directory_view(metadata: sa.MetaData) -> ReadModel:
    """The directory's tables in a service's metadata, and the view that fills them.

    A community's row is put by its own stream, a membership's by its own, and a role's by the one stream that grants
    that role (the community's for owners, the membership's for others), so stream versions order the puts of each.
    Where there is a vault, whose words were erased has a tombstone.
    Each joining and leaving is a row of its own, under the version it has in the membership's stream.
    """
    if f"{VIEW}_community" in metadata.tables:
        raise ValueError("These metadata have a directory already.")
    communities = read_model_table(
        f"{VIEW}_community",
        metadata,
        key=[_id("community")],
        put=[
            sa.Column("slug", sa.Text),
            sa.Column("visibility", sa.Text),
            sa.Column("admission", sa.Text),
            sa.Column("time_zone", sa.Text),
            sa.Column("archived", sa.Boolean),
        ],
    )
    members = read_model_table(
        f"{VIEW}_member",
        metadata,
        key=[_id("community"), _id("member")],
        put=[sa.Column("status", sa.Text)],
    )
    turns = read_model_table(
        f"{VIEW}_turn",
        metadata,
        key=[_id("community"), _id("member"), sa.Column("turn", sa.BigInteger)],
        put=[sa.Column("at", sa.DateTime(timezone=True)), sa.Column("joined", sa.Boolean)],
    )
    roles = read_model_table(
        f"{VIEW}_role",
        metadata,
        key=[_id("community"), _id("member"), sa.Column("role", sa.Text)],
        put=[sa.Column("granted", sa.Boolean)],
    )

    erased = tombstones(metadata)

    def turn(member: UUID, record: Recorded, *, joined: bool) -> Change:
        key = (record.community, member, record.version)
        return put(turns, key, record.version, at=record.occurred_at, joined=joined)

    def fold(event: DirectoryEvent, record: Recorded) -> list[Change]:
        community, version = record.community, record.version
        match event:
            case CommunityFounded(slug, time_zone, visibility, admission):
                described = {"visibility": visibility, "admission": admission, "time_zone": time_zone}
                return [put(communities, (community,), version, slug=slug, **described)]
            case CommunityDescribed(time_zone, visibility, admission):
                described = {"visibility": visibility, "admission": admission, "time_zone": time_zone}
                return [put(communities, (community,), version, **described)]
            case CommunityArchived():
                return [put(communities, (community,), version, archived=True)]
            case MemberJoined(member):
                return [put(members, (community, member), version, status="member"), turn(member, record, joined=True)]
            case ApplicationSubmitted(member):
                return [put(members, (community, member), version, status="applicant")]
            case ApplicationWithdrawn(member):
                return [put(members, (community, member), version, status="withdrawn")]
            case ApplicationDeclined(member):
                return [put(members, (community, member), version, status="declined")]
            case ApplicationExpired(member):
                return [put(members, (community, member), version, status="expired")]
            case MemberLeft(member):
                return [put(members, (community, member), version, status="left"), turn(member, record, joined=False)]
            case MemberRemoved(member):
                return [
                    put(members, (community, member), version, status="removed"),
                    turn(member, record, joined=False),
                ]
            case MemberErased(member):
                if erased is None:
                    return []
                return [put(erased, (community, member), version, at=record.occurred_at)]
            case RoleGranted(member, role):
                return [put(roles, (community, member, role), version, granted=True)]
            case RoleRevoked(member, role):
                return [put(roles, (community, member, role), version, granted=False)]
        raise TypeError(f"The directory does not fold {type(event).__name__}.")

    tables = (communities, members, turns, roles)
    return ReadModel(VIEW, tables if erased is None else (*tables, erased), fold)
