"""What every question about metrics has: the community it is about, its time zone now, and days in that zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from fastapi import Depends, Request
from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.projection.caches import Caches, caches
from services.projection.read_models.communities import COMMUNITY
from shared.projections.read_model_table import present
from shared.web import context
from shared.web.access.permissions import CallerInCommunity, Reader

_DATE = re.compile(r"\d{4}-\d\d-\d\d")

EARLIEST, LATEST = date(1970, 1, 1), date(2099, 12, 31)


def _written_as_date(value: object) -> object:
    # Without this a number would pass for a time in seconds.
    if isinstance(value, str) and not _DATE.fullmatch(value):
        raise PydanticCustomError("date_format", "Write a day as YYYY-MM-DD")
    return value


def _within_reach(day: date) -> date:
    if not EARLIEST <= day <= LATEST:
        raise PydanticCustomError("day_range", "Days go from 1970-01-01 to 2099-12-31")
    return day


Day = Annotated[date, BeforeValidator(_written_as_date), AfterValidator(_within_reach)]
"""A day of the community, 1970-01-01 to 2099-12-31."""


@dataclass(frozen=True, slots=True)
class Question:
    """A caller's question about a community, and what this process has to answer it with."""

    me: CallerInCommunity
    engine: AsyncEngine
    caches: Caches
    clock: Callable[[], datetime]

    async def zone(self) -> ZoneInfo:
        """The community's time zone, read now, so that one who changed it and waited for that sees it."""
        select = sa.select(COMMUNITY.c.time_zone).where(
            COMMUNITY.c.community == self.me.community.id, present(COMMUNITY)
        )
        async with self.engine.connect() as connection:
            return ZoneInfo(await connection.scalar(select) or self.me.community.time_zone)

    def today(self, zone: ZoneInfo) -> date:
        """The day it is in that zone."""
        return self.clock().astimezone(zone).date()

    def begun(self, day: date | None, zone: ZoneInfo) -> date:
        """That day; today in its place where none is given or it has not begun there."""
        today = self.today(zone)
        return today if day is None else min(day, today)


async def question(request: Request, me: Reader) -> Question:
    runtime = context.runtime_of(request)
    return Question(me, runtime.engine, caches(request), runtime.clock)


Asked = Annotated[Question, Depends(question)]
