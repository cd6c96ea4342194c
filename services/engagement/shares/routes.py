"""Shares over HTTP: tell that one shared something, and how often it was shared."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import Field
from pydantic.config import JsonDict

from services.engagement.read_models.reach import REACH, share_count
from services.engagement.read_models.targets import not_deleted
from services.engagement.shares.domain import SHARE, Medium, share, share_id
from services.engagement.target_lookup import Targets
from shared.projections.freshness import Freshness
from shared.web.access.permissions import Contributor, Reader
from shared.web.dependencies import Commanding, Db, fresh
from shared.web.fields import Answer, Body

router = APIRouter(prefix="/shares", tags=["shares"])

EXAMPLE: JsonDict = {
    "id": "0198c1c0-4e5f-7061-9b7c-8d9e0f1a2b3c",
    "target_id": "0198c1a2-7b3c-7d4e-8f50-6a7b8c9d0e1f",
    "medium": "chat",
}


class NewShare(Body, example={name: EXAMPLE[name] for name in ("target_id", "medium")}):
    target_id: UUID
    medium: Medium


class ShareAnswer(Answer, example=EXAMPLE):
    """The share that was told on that day."""

    id: UUID
    target_id: UUID
    medium: str


class SharesAnswer(Answer, example={"target_id": EXAMPLE["target_id"], "counts": {"chat": 2, "link": 7}}):
    """How often something was shared, by medium."""

    target_id: UUID
    counts: dict[str, int]
    freshness: Freshness | None = Field(None, description="How far the view was that answered.")


@router.post("", status_code=201, operation_id="share", summary="Tell that one shared something")
async def post_share(body: NewShare, me: Contributor, commands: Commanding, targets: Targets) -> ShareAnswer:
    """Counted once per member, target and day of the community; another on that day is answered as the first."""
    now, zone = commands.act.occurred_at, ZoneInfo(me.community.time_zone)
    stream = commands.stream_of_now(share_id(body.target_id, me.id, now, zone))
    aim = await targets.look_up(me.community.id, body.target_id, caller=me.caller)
    found = await commands.execute(SHARE, stream, lambda state: share(state, stream, aim, me.id, body.medium))
    shared = found.state
    assert shared is not None, "it was shared just now or before"
    commands.created(f"shares?target={body.target_id}")  # a share has no address of its own; there it is counted
    return ShareAnswer(id=shared.share_id, target_id=shared.target_id, medium=shared.medium)


@router.get("", operation_id="count_shares", summary="Count the shares of something")
async def get_shares(
    me: Reader,
    db: Db,
    freshness: Annotated[Freshness, fresh(REACH)],
    target: Annotated[UUID, Query(description="A thread, reply or comment.", examples=[EXAMPLE["target_id"]])],
) -> SharesAnswer:
    """What is not there, or was deleted, was not shared."""
    at, row = me.community.id, share_count.c
    counts = await db.execute(
        sa.select(row.medium, row.shares)
        .where(row.community == at, row.target == target, not_deleted(at, target))
        .order_by(row.medium)
    )
    return SharesAnswer(target_id=target, counts={count.medium: count.shares for count in counts}, freshness=freshness)
