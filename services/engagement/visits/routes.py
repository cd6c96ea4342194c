"""Views over HTTP: tell that one looked at something, and how often it was looked at."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import Field

from services.engagement.reactions.routes import TargetPath
from services.engagement.read_models.reach import REACH, view_count
from services.engagement.read_models.targets import not_deleted
from services.engagement.target_lookup import Targets
from services.engagement.visits.domain import VISIT, hour_of, visit, visit_id
from shared.projections.freshness import Freshness
from shared.web.access.permissions import Contributor, Reader
from shared.web.dependencies import Commanding, Db, fresh
from shared.web.fields import Answer

router = APIRouter(prefix="/views", tags=["views"])

EXAMPLE = "0198c1a2-7b3c-7d4e-8f50-6a7b8c9d0e1f"


class ViewsAnswer(Answer, example={"target_id": EXAMPLE, "views": 120}):
    """How often members looked at something, each counted once an hour."""

    target_id: UUID
    views: int
    freshness: Freshness | None = Field(None, description="How far the view was that answered.")


@router.put("/{target_id}", status_code=204, operation_id="put_view", summary="Tell that one looked at something")
async def put_view(target_id: TargetPath, me: Contributor, commands: Commanding, targets: Targets) -> None:
    """Counted once per member, target and hour; more often changes nothing."""
    hour = hour_of(commands.act.occurred_at)
    stream = commands.stream_of_now(visit_id(target_id, me.id, hour))
    aim = await targets.look_up(me.community.id, target_id, caller=me.caller)
    await commands.execute(VISIT, stream, lambda state: visit(state, aim, me.id, hour))


@router.get("", operation_id="count_views", summary="Count the views of something")
async def get_views(
    me: Reader,
    db: Db,
    freshness: Annotated[Freshness, fresh(REACH)],
    target: Annotated[UUID, Query(description="A thread, reply or comment.", examples=[EXAMPLE])],
) -> ViewsAnswer:
    """What is not there, or was deleted, was not viewed."""
    at, row = me.community.id, view_count.c
    counted = sa.select(row.views).where(row.community == at, row.target == target, not_deleted(at, target))
    views = await db.execute(counted)
    return ViewsAnswer(target_id=target, views=views.scalar_one_or_none() or 0, freshness=freshness)
