"""What becomes of suggestions: how many are in which state, and how long the first answer takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import Field

from services.projection.days import SLOT_SECONDS, first_slot, number_of
from services.projection.question import Asked, Day
from services.projection.read_models.communities import COMMUNITIES
from services.projection.read_models.suggestions import ANSWER, STATES, SUGGESTION, SUGGESTIONS
from shared.events.errors import Invalid
from shared.projections.freshness import EXAMPLE as FRESHNESS_EXAMPLE
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.web.dependencies import Db, fresh
from shared.web.fields import Answer

router = APIRouter(prefix="/metrics", tags=["metrics"])


class SuggestionMetrics(
    Answer,
    example={
        "states": {"open": 4, "planned": 1, "completed": 2, "declined": 1},
        "answered": 5,
        "unanswered": 3,
        "median_seconds_to_answer": 86400.0,
        "time_zone": "Europe/Paris",
        "freshness": FRESHNESS_EXAMPLE,
    },
):
    """Of the suggestions submitted in a range of days."""

    states: dict[str, int] = Field(description="How many are in each state now.")
    answered: int
    unanswered: int = Field(description="Those without an answer yet; they are not in the median.")
    median_seconds_to_answer: float | None = Field(
        description="Median time from submission to the first answer, of those answered; null without any."
    )
    time_zone: str
    freshness: Freshness


@router.get("/suggestions", operation_id="get_suggestion_metrics", summary="States of suggestions, time to answer")
async def get_suggestion_metrics(
    asked: Asked,
    db: Db,
    freshness: Annotated[Freshness, fresh(SUGGESTIONS, COMMUNITIES)],
    first: Annotated[Day | None, Query(alias="from", description="Submitted on that day or later.")] = None,
    last: Annotated[Day | None, Query(alias="to", description="Submitted on that day or earlier.")] = None,
) -> SuggestionMetrics:
    """Of all suggestions, or of those submitted in a range of days of the community's time zone."""
    if first is not None and last is not None and first > last:
        raise Invalid(f"`from` ({first}) is after `to` ({last}).", query="from")
    zone = await asked.zone()
    submitted = SUGGESTION.c.submitted_at
    conditions = [SUGGESTION.c.community == asked.me.community.id, present(SUGGESTION)]
    if first is not None:
        conditions.append(submitted >= _beginning(number_of(first), zone))
    if last is not None:
        conditions.append(submitted < _beginning(number_of(last) + 1, zone))
    seconds = sa.extract("epoch", ANSWER.c.answered_at - submitted)
    answered = sa.and_(
        ANSWER.c.community == SUGGESTION.c.community, ANSWER.c.suggestion == SUGGESTION.c.suggestion, present(ANSWER)
    )
    select = sa.select(
        sa.func.count().label("suggestions"),
        sa.func.count(ANSWER.c.answered_at).label("answered"),
        sa.func.percentile_cont(0.5).within_group(seconds).label("median"),
        *(sa.func.count().filter(SUGGESTION.c.state == state).label(state) for state in STATES),
    ).select_from(SUGGESTION.outerjoin(ANSWER, answered))
    row = (await db.execute(select.where(*conditions))).one()
    return SuggestionMetrics(
        states={state: row._mapping[state] for state in STATES},  # noqa: SLF001 - SQLAlchemy's public name
        answered=row.answered,
        unanswered=row.suggestions - row.answered,
        median_seconds_to_answer=row.median,
        time_zone=zone.key,
        freshness=freshness,
    )


def _beginning(day: int, zone: ZoneInfo) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=first_slot(day, zone) * SLOT_SECONDS)
