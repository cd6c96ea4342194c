"""A small member service for the kernel's tests: it feeds the directory, and has a worker that fails at first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter

from shared.commands.decisions import StreamDecision
from shared.events.decider import Decider
from shared.events.event import Event, Recorded
from shared.events.fact import Fact
from shared.events.identity import community_id, derived_id
from shared.projections.freshness import Freshness
from shared.projections.read_model import Change, ReadModel, add
from shared.projections.read_model_table import read_model_table
from shared.replicas import directory
from shared.replicas.directory import CommunityArchived, CommunityFounded, MemberJoined, MemberLeft, RoleGranted
from shared.service.service import Service
from shared.tables import service_metadata
from shared.web.access.permissions import Authenticated, Contributor, Newcomer, Owner, Reader
from shared.web.dependencies import Commanding, Db, fresh
from shared.web.runtime import Runtime

METADATA = service_metadata(facts=True)
SIZES = read_model_table("size", METADATA, key=[sa.Column("community", sa.UUID, nullable=False)], add=["members"])


def fold(event: MemberJoined | MemberLeft, record: Recorded) -> list[Change]:
    return [add(SIZES, (record.community,), members=1 if isinstance(event, MemberJoined) else -1)]


SIZE = ReadModel("size", (SIZES,), fold)


@dataclass(frozen=True)
class State:
    there: bool = False


Founding = CommunityFounded | CommunityArchived | RoleGranted


def evolve_community(_: State | None, fact: Fact[Founding]) -> State:
    return State(there=True)


def evolve_membership(_: State | None, fact: Fact[MemberJoined | MemberLeft]) -> State:
    return State(isinstance(fact.event, MemberJoined))


COMMUNITY: Decider[State, Founding] = Decider("community", evolve_community)
MEMBERSHIP: Decider[State, MemberJoined | MemberLeft] = Decider("membership", evolve_membership)


def once(state: State | None, *events: Event) -> list[Event]:
    return [] if state and state.there else list(events)


founding = APIRouter(prefix="/v1/communities")
router = APIRouter()


def membership(community: UUID, member: UUID) -> UUID:
    return derived_id("membership", community, member)


@founding.post("/{slug}", status_code=201, operation_id="found")
async def found(slug: str, caller: Authenticated, commands: Commanding) -> None:
    community = community_id(slug)
    assert community is not None
    me = caller.member_in(community)
    opened = CommunityFounded(slug, "UTC", "members", "open")
    await commands.within(community).execute_together(
        [
            StreamDecision(COMMUNITY, community, lambda s: once(s, opened, RoleGranted(me, "owner"))),
            StreamDecision(MEMBERSHIP, membership(community, me), lambda s: once(s, MemberJoined(me))),
        ]
    )


@router.put("/me", status_code=204, operation_id="join")
async def join(me: Newcomer, commands: Commanding) -> None:
    await commands.execute(MEMBERSHIP, membership(me.community.id, me.id), lambda s: once(s, MemberJoined(me.id)))  # type: ignore[arg-type,return-value]


@router.post("/archive", status_code=204, operation_id="archive")
async def archive(me: Owner, commands: Commanding) -> None:
    await commands.execute(COMMUNITY, me.community.id, lambda _: [CommunityArchived()])


@router.post("/work", status_code=204, operation_id="work")
async def work(me: Contributor) -> None:
    """For members."""


@router.get("/size", operation_id="get_size")
async def get_size(me: Reader, db: Db, freshness: Annotated[Freshness, fresh(SIZE)]) -> dict[str, int | Freshness]:
    members = (await db.execute(sa.select(SIZES.c.members).where(SIZES.c.community == me.community.id))).scalar()
    return {"members": members or 0, "freshness": freshness}


RAN: list[str] = []


async def a_worker(runtime: Runtime) -> None:
    """Fails twice, then settles."""
    RAN.append(runtime.service)
    if len(RAN) < 3:
        raise RuntimeError("not yet")
    await asyncio.Event().wait()


SERVICE = Service(
    name="member",
    metadata=METADATA,
    events=directory,
    routers=(founding, router),
    own_read_models=(SIZE,),
    workers=(a_worker,),
    migrations=Path("none"),
)
