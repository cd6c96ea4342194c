"""How influence is shown: points with three decimals, which are thousandths exactly, and days as dates."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from services.projection.days import date_of
from services.projection.influence.explanation import Item
from services.projection.influence.kept import Influence
from shared.http.words import Answer
from shared.positions import EXAMPLE as POSITION_EXAMPLE
from shared.views.freshness import Freshness

_FRESHNESS = {"positions": POSITION_EXAMPLE, "lag_events": 0, "lag_seconds": 0.0}
_ALICE, _BOB = "8d0c1c2e-5b54-8f0a-9d6e-0a5f3f1d2c4b", "2f9d8c1b-7a65-8e43-b210-9f8e7d6c5b4a"
_MEMBER: dict[str, Any] = {
    "member_id": _ALICE,
    "score": 1234.567,
    "reach": 42,
    "resonance": 801.25,
    "authority": 223.317,
    "percentile": 0.9876,
    "trend": 12.345,
}
_CONTEXT: dict[str, Any] = {
    "as_of": "2018-01-31",
    "policy": "standard-1",
    "time_zone": "Europe/Paris",
    "freshness": _FRESHNESS,
}


class MemberInfluence(Answer):
    """Influence of one member at the end of a day. Points have three decimals at most."""

    member_id: UUID
    score: float = Field(description="5 × reach + resonance + authority, each with the policy's weight, in points.")
    reach: int = Field(description="Distinct members who responded in the last 365 days.")
    resonance: float = Field(description="Points of responses received, decayed by age.")
    authority: float = Field(
        description="Weighted PageRank over the last 365 days; the mean member of the ranking has 100."
    )
    percentile: float = Field(description="Share, 0 to 1, of the members in the ranking who score lower.")
    trend: float = Field(description="The score less the score 30 days before, in points.")


class RankedMember(MemberInfluence):
    rank: int = Field(description="Place in the ranking, from 1; the same score is ordered by id.")


class OfDay(Answer):
    """What every answer about influence says of itself."""

    as_of: date
    policy: str = Field(description="The scoring policy in effect on that day.")
    time_zone: str
    freshness: Freshness


class Ranking(OfDay):
    """Members of that day with a response given or received, or an action, in the 365 days up to it; no robots."""

    items: list[RankedMember]
    members: int = Field(description="How many members the whole ranking has.")
    next: str | None = Field(None, description="Cursor of the next page; null on the last one.")

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{"rank": 1, **_MEMBER}], "members": 130, "next": None, **_CONTEXT}]}
    )


class OneMember(OfDay, MemberInfluence):
    model_config = ConfigDict(json_schema_extra={"examples": [{**_MEMBER, **_CONTEXT}]})


class ExplanationItem(Answer):
    """One contribution to the score."""

    part: Literal["reach", "resonance", "authority"]
    day: date | None = Field(description="Reach: the day of the last response. Resonance: the day of the fact.")
    from_: UUID | None = Field(alias="from", description="The member it comes from; null for nobody known.")
    kind: str | None = Field(description="Resonance: kind of the fact. Authority: `base` for what everybody has.")
    count: int | None = Field(description="How many responses.")
    points: int | None = Field(description="Points before decay, after caps; authority: points given in the window.")
    age_days: int | None
    thousandths: int = Field(description="What it adds to the score, in thousandths of a point.")

    model_config = ConfigDict(populate_by_name=True)


class Explanation(OfDay):
    """The contributions that make up a score: over all pages, their thousandths add up to the score exactly."""

    member_id: UUID
    score: float
    score_thousandths: int
    items: list[ExplanationItem]
    sum_thousandths: int = Field(description="Sum over all items of all pages; the score.")
    next: str | None = Field(None, description="Cursor of the next page; null on the last one.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "member_id": _ALICE,
                    "score": 117.976,
                    "score_thousandths": 117_976,
                    "items": [
                        {
                            "part": "resonance",
                            "day": "2018-01-30",
                            "from": _BOB,
                            "kind": "reply",
                            "count": 1,
                            "points": 3,
                            "age_days": 1,
                            "thousandths": 2_976,
                        }
                    ],
                    "sum_thousandths": 117_976,
                    "next": None,
                    **_CONTEXT,
                }
            ]
        }
    )


def shown(influence: Influence, member: int) -> dict[str, Any]:
    """The fields of `MemberInfluence` for a member number."""
    now = influence.standing
    return {
        "member_id": influence.roster.id_of(member),
        "score": int(now.score[member]) / 1000,
        "reach": int(now.reach[member]),
        "resonance": int(now.resonance[member]) / 1000,
        "authority": int(now.authority[member]) / 1000,
        "percentile": now.percentile(member),
        "trend": influence.trend(member) / 1000,
    }


def shown_item(influence: Influence, item: Item) -> ExplanationItem:
    return ExplanationItem(
        part=item.part,
        day=None if item.day is None else date_of(item.day),
        from_=None if item.sender is None else influence.roster.id_of(item.sender),
        kind=item.kind,
        count=item.count,
        points=item.points,
        age_days=None if item.day is None else influence.standing.day - item.day,
        thousandths=item.thousandths,
    )
