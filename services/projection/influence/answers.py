"""How influence is shown: points with three decimals, which are thousandths exactly, and days as dates."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from services.projection.days import date_of
from services.projection.influence.cached_scores import Influence
from services.projection.influence.explanation import Contributions, Item
from shared.projections.freshness import EXAMPLE as FRESHNESS_EXAMPLE
from shared.projections.freshness import Freshness
from shared.web.fields import Answer

_ALICE, _BOB = "8d0c1c2e-5b54-8f0a-9d6e-0a5f3f1d2c4b", "2f9d8c1b-7a65-8e43-b210-9f8e7d6c5b4a"
_MEMBER: dict[str, Any] = {
    "member_id": _ALICE,
    "score": 1234.567,
    "reach": 42,
    "resonance": 801.25,
    "authority": 223.317,
    "percentile": 0.9876,
    "trend": 12.345,
    "of_imports": {"score": 61.25, "reach": 2, "resonance": 50.0, "authority": 1.25},
}
_CONTEXT: dict[str, Any] = {
    "as_of": "2018-01-31",
    "policy": "standard-1",
    "time_zone": "Europe/Paris",
    "freshness": FRESHNESS_EXAMPLE,
}


class OfImports(Answer):
    """What of a score rests on what was brought in by backfills. The rest is what was done here.

    Without imports, reach and resonance would be what is left. Authority hangs on the whole graph: its part is what
    came by points brought in, in proportion to them.
    """

    score: float = Field(description="Points of the score.")
    reach: int = Field(description="Members reached by nothing that was done here.")
    resonance: float
    authority: float


class OfImporter(OfImports):
    """The same of what one of the importers brought in."""

    imported_by: UUID = Field(description="The member who brought it in.")


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
    of_imports: OfImports


class RankedMember(MemberInfluence):
    rank: int = Field(description="Place in the ranking, from 1; the same score is ordered by id.")


class OfDay(Answer):
    """What every answer about influence says of itself."""

    as_of: date
    policy: str = Field(description="The scoring policy in effect on that day.")
    time_zone: str
    freshness: Freshness


class Ranking(OfDay, example={"items": [{"rank": 1, **_MEMBER}], "members": 130, "next": None, **_CONTEXT}):
    """Members of that day with a response given or received, or an action, in the 365 days up to it; no robots."""

    items: list[RankedMember]
    members: int = Field(description="How many members the whole ranking has.")
    next: str | None = Field(None, description="Cursor of the next page; null on the last one.")


class OneMember(
    OfDay,
    MemberInfluence,
    example={**_MEMBER, "importers": [{"imported_by": _BOB, **_MEMBER["of_imports"]}], **_CONTEXT},
):
    importers: list[OfImporter] = Field(description="Of imports, by who brought it in; in the order of their ids.")


class ExplanationItem(Answer):
    """One contribution to the score."""

    part: Literal["reach", "resonance", "authority"]
    day: date | None = Field(description="Reach: the day of the last response. Resonance: the day of the fact.")
    from_: UUID | None = Field(alias="from", description="The member it comes from; null for nobody known.")
    kind: str | None = Field(description="Resonance: kind of the fact. Authority: `base` for what everybody has.")
    count: int | None = Field(description="How many responses.")
    points: int | None = Field(description="Points before decay, after caps; authority: points given in the window.")
    age_days: int | None
    imported_by: UUID | None = Field(description="Who brought in what it rests on; null for what was done here.")
    thousandths: int = Field(description="What it adds to the score, in thousandths of a point.")

    model_config = ConfigDict(populate_by_name=True)


class Explanation(
    OfDay,
    example={
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
                "imported_by": None,
                "thousandths": 2_976,
            }
        ],
        "sum_thousandths": 117_976,
        "imported_thousandths": 0,
        "next": None,
        **_CONTEXT,
    },
):
    """The contributions that make up a score: over all pages, their thousandths add up to the score exactly."""

    member_id: UUID
    score: float
    score_thousandths: int
    items: list[ExplanationItem]
    sum_thousandths: int = Field(description="Sum over all items of all pages; the score.")
    imported_thousandths: int = Field(description="Sum over those of them that have an `imported_by`.")
    next: str | None = Field(None, description="Cursor of the next page; null on the last one.")


def shown(influence: Influence, member: int) -> dict[str, Any]:
    """The fields of `MemberInfluence` for a member number."""
    now = influence.day_scores
    return {
        "member_id": influence.member_index.id_of(member),
        "score": int(now.score[member]) / 1000,
        "reach": int(now.reach[member]),
        "resonance": int(now.resonance[member]) / 1000,
        "authority": int(now.authority[member]) / 1000,
        "percentile": now.percentile(member),
        "trend": influence.trend(member) / 1000,
        "of_imports": {
            "score": int(now.of_imports.score[member]) / 1000,
            "reach": int(now.of_imports.reach[member]),
            "resonance": int(now.of_imports.resonance[member]) / 1000,
            "authority": int(now.of_imports.authority[member]) / 1000,
        },
    }


def shown_importers(influence: Influence, contributions: Contributions) -> list[OfImporter]:
    return [
        OfImporter(
            imported_by=influence.day_scores.importers.id_of(importer),
            score=part.score / 1000,
            reach=part.reach,
            resonance=part.resonance / 1000,
            authority=part.authority / 1000,
        )
        for importer, part in contributions.by_importer.items()
        if importer is not None
    ]


def shown_item(influence: Influence, item: Item) -> ExplanationItem:
    return ExplanationItem(
        part=item.part,
        day=None if item.day is None else date_of(item.day),
        from_=None if item.sender is None else influence.member_index.id_of(item.sender),
        kind=item.kind,
        count=item.count,
        points=item.points,
        age_days=None if item.day is None else influence.day_scores.day - item.day,
        imported_by=None if item.importer is None else influence.day_scores.importers.id_of(item.importer),
        thousandths=item.thousandths,
    )
