"""How active a community is, over time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from services.projection.activity.arithmetic import Period, Step, activity, periods
from services.projection.days import date_of, number_of
from services.projection.question import EARLIEST, Asked, Day
from services.projection.read_models.actions import ACTION_KINDS, ACTIONS
from services.projection.read_models.communities import COMMUNITIES
from services.projection.read_models.imports import IMPORTS
from services.projection.read_models.memberships import MEMBERSHIPS
from services.projection.tabular import CSV_ANSWER, Cell, WantsCsv, csv_answer
from shared.events.errors import Invalid
from shared.projections.freshness import EXAMPLE as FRESHNESS_EXAMPLE
from shared.projections.freshness import Freshness
from shared.web.dependencies import fresh
from shared.web.fields import Answer

router = APIRouter(prefix="/metrics", tags=["metrics"])

POINTS = 4_000
_DEFAULT_DAYS = 30

EXAMPLE: dict[str, Any] = {
    "items": [
        {
            "day": "2018-01-01",
            "actions": {**dict.fromkeys(ACTION_KINDS, 0), "thread": 1, "reply": 2, "comment": 3, "reaction": 5},
            "active": {"day": 3, "week": 8, "month": 20},
            "stickiness": 0.15,
            "new_members": 1,
            "returning_members": 2,
        }
    ],
    "time_zone": "Europe/Paris",
    "freshness": FRESHNESS_EXAMPLE,
}


class ActiveMembers(Answer):
    day: int = Field(description="Distinct members active on the last day of the step that has begun.")
    week: int = Field(description="Distinct members active in the 7 days that end with it.")
    month: int = Field(description="Distinct members active in the 30 days that end with it.")


class ActivityItem(Answer):
    day: date = Field(description="First day of the step: the day, the week's Monday, the month's first.")
    actions: dict[str, int] = Field(description="Actions by kind; kinds may be added.")
    active: ActiveMembers
    stickiness: float = Field(
        description="Mean of active members of the day / of the month over the step's days so far."
    )
    new_members: int = Field(description="Distinct members who acted in the step for the first time ever.")
    returning_members: int = Field(description="Distinct members who acted in it and had acted before it.")


class ActivityAnswer(Answer, example=EXAMPLE):
    items: list[ActivityItem]
    time_zone: str
    freshness: Freshness


@router.get(
    "/activity",
    operation_id="get_activity",
    summary="Activity over time",
    response_model=ActivityAnswer,
    responses=CSV_ANSWER,
)
async def get_activity(
    asked: Asked,
    freshness: Annotated[Freshness, fresh(ACTIONS, COMMUNITIES, MEMBERSHIPS, IMPORTS)],
    csv: WantsCsv,
    first: Annotated[
        Day | None, Query(alias="from", description="First day; 29 days before the last if left out.")
    ] = None,
    last: Annotated[
        Day | None,
        Query(alias="to", description="Last day, included; today if left out, and never a later one."),
    ] = None,
    step: Annotated[
        Step, Query(description="Length of an item; a step that sticks out of the range is cut.")
    ] = Step.DAY,
) -> ActivityAnswer | Response:
    """A series without holes, at most 4,000 items; days are those of the community's time zone.

    Days that have not begun are no days: the series ends today, and one that would begin later has no items.

    As CSV an item is a line. Its columns have names, and none ever moves: a new one, as of a kind of action that is
    added, stands at the end.
    """
    if first is not None and last is not None and first > last:
        raise Invalid(f"`from` ({first}) is after `to` ({last}).", query="from")
    zone = await asked.zone()
    end = number_of(asked.begun(last, zone))
    start = number_of(first or max(date_of(end) - timedelta(days=_DEFAULT_DAYS - 1), EARLIEST))
    points = sum(1 for _ in periods(start, end, step))
    if points > POINTS:
        raise Invalid(
            f"This asks for {points} items; a series has at most {POINTS}. Choose a longer step or fewer days.",
            query="step",
        )
    cache, _ = asked.caches.of(asked.me.community.id, zone)
    calendar = await cache.calendar(asked.engine, start, end)
    series = activity(calendar, start, end, step)  # made as it is taken: thousands of items need not be there twice
    if csv:
        rows = await asyncio.to_thread(lambda: [row(period) for period in series])
        return csv_answer("activity", columns(ACTION_KINDS), rows, freshness=freshness, time_zone=zone.key)
    items = await asyncio.to_thread(lambda: [_item(period) for period in series])
    return ActivityAnswer(items=items, time_zone=zone.key, freshness=freshness)


_KINDS_AT_FIRST = 8
"""So many kinds stand before the numbers, as in the first table that was published; later ones stand at the end."""


def columns(kinds: Sequence[str]) -> list[str]:
    """The table's columns. None ever moves: what is new stands at the end, whatever it belongs to."""
    numbers = ("active_day", "active_week", "active_month", "stickiness", "new_members", "returning_members")
    return ["day", *kinds[:_KINDS_AT_FIRST], *numbers, *kinds[_KINDS_AT_FIRST:]]


def _item(period: Period) -> ActivityItem:
    return ActivityItem(
        day=date_of(period.first),
        actions=period.actions,
        active=ActiveMembers.model_validate(period.active),
        stickiness=period.stickiness,
        new_members=period.new_members,
        returning_members=period.returning_members,
    )


def row(period: Period) -> list[Cell]:
    """A period's cells, as `columns` has them."""
    kinds, active = list(period.actions.values()), period.active
    numbers = (active.day, active.week, active.month, period.stickiness, period.new_members, period.returning_members)
    return [date_of(period.first).isoformat(), *kinds[:_KINDS_AT_FIRST], *numbers, *kinds[_KINDS_AT_FIRST:]]
