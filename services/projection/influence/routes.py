"""Who carries the community: the ranking, one member, and what a score is made of."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import numpy as np
from fastapi import APIRouter, Path, Query, Request, Response

from services.projection.cursors import following, opened
from services.projection.days import date_of, number_of
from services.projection.influence.answers import (
    Explanation,
    OfImporter,
    OneMember,
    RankedMember,
    Ranking,
    shown,
    shown_importers,
    shown_item,
)
from services.projection.influence.cached_scores import Influence
from services.projection.influence.explanation import Contributions
from services.projection.question import EARLIEST, LATEST, Asked, Day, Question
from services.projection.read_models.actions import ACTIONS
from services.projection.read_models.communities import COMMUNITIES
from services.projection.read_models.imports import IMPORTS
from services.projection.read_models.memberships import MEMBERSHIPS
from services.projection.read_models.responses import RESPONSES
from services.projection.tabular import CSV_ANSWER, Cell, WantsCsv, csv_answer
from shared.events.errors import BadRequest, NotFound
from shared.projections.freshness import Freshness
from shared.replicas.standing import NOBODY, Standing
from shared.web import context
from shared.web.access.policy import Permission
from shared.web.dependencies import fresh

router = APIRouter(prefix="/metrics/influence", tags=["metrics"])

ITEMS = 10_000
"""Items of an explanation on one page, unless fewer are asked for."""

AsOf = Annotated[
    Day | None, Query(description="The day whose end is asked about; today if left out, and never a later one.")
]
Member = Annotated[
    UUID | Literal["me"],
    Path(description="A member's id, or `me`.", examples=["me", "8d0c1c2e-5b54-8f0a-9d6e-0a5f3f1d2c4b"]),
]
Cursor = Annotated[
    str | None, Query(max_length=500, description="`next` of the page before; leave it out for the first.")
]
Fresh = Annotated[Freshness, fresh(ACTIONS, RESPONSES, COMMUNITIES, MEMBERSHIPS, IMPORTS)]


DayNumber = Annotated[int, msgspec.Meta(ge=number_of(EARLIEST), le=number_of(LATEST))]


class AfterMember(msgspec.Struct, frozen=True):
    """Where a page of the ranking ended: the day it is of, and its last member's place in the order."""

    day: DayNumber
    score: int
    member: UUID


class AfterItem(msgspec.Struct, frozen=True):
    """Where a page of an explanation ended: the day it is of, and how many items came up to there."""

    day: DayNumber
    items: Annotated[int, msgspec.Meta(ge=0)]


@router.get(
    "",
    operation_id="list_influence",
    summary="Members by influence",
    response_model=Ranking,
    responses=CSV_ANSWER,
)
async def list_influence(
    asked: Asked,
    request: Request,
    freshness: Fresh,
    csv: WantsCsv,
    as_of: AsOf = None,
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many members.")] = 50,
    cursor: Cursor = None,
) -> Ranking | Response:
    """The members of that day with a response given or received, or an action, in the 365 days up to it; no robots."""
    after = opened(cursor, AfterMember) if cursor is not None else None
    influence, of_day = await _influence(asked, request, freshness, as_of, after.day if after else None)
    day_scores, member_index = influence.day_scores, influence.member_index
    begin = 0
    if after is not None:
        place = np.searchsorted(member_index.ids, np.array([after.member.bytes], "S16"), side="right")[0]
        scores = day_scores.score[day_scores.ranking]
        begin = int(((scores > after.score) | ((scores == after.score) & (day_scores.ranking < place))).sum())
    members = day_scores.ranking[begin : begin + limit].tolist()
    items = [RankedMember(rank=rank, **shown(influence, m)) for rank, m in enumerate(members, start=begin + 1)]
    following_page = None
    if begin + limit < len(day_scores.ranking):
        last = members[-1]
        end = AfterMember(day_scores.day, int(day_scores.score[last]), member_index.id_of(last))
        following_page = following(request, end)
    if csv:
        columns = ("member_id", "score", "reach", "resonance", "authority", "percentile", "trend")
        rows = ([i.rank, *(_cell(getattr(i, column)) for column in columns), i.of_imports.score] for i in items)
        names = ("rank", *columns, "of_imports")
        return csv_answer("influence", names, rows, freshness=of_day["freshness"], time_zone=of_day["time_zone"])
    return Ranking(items=items, members=len(day_scores.ranking), next=following_page, **of_day)


@router.get("/{member}", operation_id="get_influence", summary="Influence of one member")
async def get_influence(
    asked: Asked, request: Request, freshness: Fresh, member: Member, as_of: AsOf = None
) -> OneMember:
    """Of who is here; of who was here also to moderators and to themselves. Who is not in the day's ranking has no
    authority.
    """
    influence, of_day = await _influence(asked, request, freshness, as_of)
    number = await _number(asked, request, influence, member)
    if number is None:
        zeros = dict.fromkeys(("score", "reach", "resonance", "authority", "percentile", "trend"), 0)
        nothing = {part: zeros[part] for part in ("score", "reach", "resonance", "authority")}
        return OneMember(member_id=_id(asked, member), of_imports=nothing, importers=[], **zeros, **of_day)
    importers: list[OfImporter] = []
    if len(influence.day_scores.importers):
        every = await asyncio.to_thread(Contributions, influence.day_scores, number)
        importers = shown_importers(influence, every)
    return OneMember(importers=importers, **shown(influence, number), **of_day)


@router.get(
    "/{member}/explain",
    operation_id="explain_influence",
    summary="What a member's score is made of",
    response_model=Explanation,
    responses=CSV_ANSWER,
)
async def explain_influence(
    asked: Asked,
    request: Request,
    freshness: Fresh,
    csv: WantsCsv,
    member: Member,
    as_of: AsOf = None,
    limit: Annotated[int, Query(ge=1, le=ITEMS, description="At most so many items.")] = ITEMS,
    cursor: Cursor = None,
) -> Explanation | Response:
    """Every contribution: who was reached, each fact with its points and age, each share of authority."""
    after = opened(cursor, AfterItem) if cursor is not None else None
    influence, of_day = await _influence(asked, request, freshness, as_of, after.day if after else None)
    number = await _number(asked, request, influence, member)
    every = None if number is None else await asyncio.to_thread(Contributions, influence.day_scores, number)
    begin = after.items if after else 0
    items = [] if every is None else [shown_item(influence, each) for each in every.items(begin, begin + limit)]
    more = every is not None and begin + limit < len(every)
    following_page = following(request, AfterItem(influence.day_scores.day, begin + limit)) if more else None
    if csv:
        columns = ("part", "day", "from", "kind", "count", "points", "age_days", "imported_by", "thousandths")
        rows = (item.model_dump(mode="json", by_alias=True).values() for item in items)
        return csv_answer(
            "explanation", columns, map(list, rows), freshness=of_day["freshness"], time_zone=of_day["time_zone"]
        )
    score = 0 if number is None else int(influence.day_scores.score[number])
    return Explanation(
        member_id=_id(asked, member),
        score=score / 1000,
        score_thousandths=score,
        items=items,
        sum_thousandths=0 if every is None else every.total,
        imported_thousandths=0 if number is None else int(influence.day_scores.of_imports.score[number]),
        next=following_page,
        **of_day,
    )


async def _influence(
    asked: Question, request: Request, freshness: Freshness, as_of: Day | None, continued: int | None = None
) -> tuple[Influence, dict[str, Any]]:
    """Influence at the end of a day, and what every answer says about that; a next page is of its first one's day."""
    zone = await asked.zone()
    day = number_of(asked.begun(as_of, zone))
    if continued is not None:
        # Whoever asked for the newest day goes on with the one that was the newest then.
        if as_of is not None and as_of < asked.today(zone) and as_of != date_of(continued):
            raise BadRequest("The `cursor` is of another day than `as_of`. Begin without it.", query="cursor")
        day = min(continued, number_of(asked.today(zone)))
    _, cache = asked.caches.of(asked.me.community.id, zone)
    # Who waits for a write is answered with it; others may get what was true a moment ago, and are told so.
    wait = "guildhall-after" in request.headers
    influence = await cache.influence(asked.engine, day, freshness, wait=wait)
    return influence, {
        "as_of": date_of(day),
        "policy": influence.day_scores.policy.name,
        "time_zone": zone.key,
        "freshness": influence.freshness,
    }


def _cell(value: UUID | float) -> Cell:
    return str(value) if isinstance(value, UUID) else value


def _id(asked: Question, member: UUID | Literal["me"]) -> UUID:
    return asked.me.id if member == "me" else member


async def _number(asked: Question, request: Request, influence: Influence, member: UUID | Literal["me"]) -> int | None:
    """The member's number, None for a member of whom nothing else is known.

    Raises `NotFound` for whoever never came, and for who is not here except to moderators and to themselves; and
    `Unavailable` where the directory cannot know that yet.
    """
    me, who = asked.me, _id(asked, member)
    number = influence.member_index.place_of(who)
    insider = who == me.id or Permission.MODERATE in me.permissions

    def is_shown(standing: Standing) -> bool:
        if standing.status == "member":
            return True
        if insider and standing.turns:
            return True
        # Of whom others have told, and the member service nothing, it is not known that they went.
        return number is not None and (insider or not standing.turns)

    found = await context.runtime_of(request).directory.look_up(
        me.community.id,
        who,
        lambda _, standing: is_shown(standing),
        caller=me.caller,
        arrived=context.of(request).arrived,
    )
    if not is_shown(found[1] if found else NOBODY):
        raise NotFound("There is no such member.")
    return number
