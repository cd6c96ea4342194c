"""The versions of the scoring policy: what a response is worth, and from when on."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter
from pydantic import Field

from services.projection.policies import STANDARD, STANDARD_1, ScoringPolicy
from shared.web.access.permissions import Reader
from shared.web.fields import Answer

router = APIRouter(prefix="/metrics/scoring-policies", tags=["metrics"])


class Weights(Answer):
    reach: int
    resonance: int
    authority: int


class ScoringPolicyAnswer(Answer):
    """A version; none is ever rewritten. A fact is scored by the version in effect on its own day."""

    name: str
    effective_from: date | None = Field(
        None, description="The first day it counts; null for the one from the beginning."
    )
    points: dict[str, int] = Field(description="Points per response received, by kind.")
    sender_cap: int = Field(description="Points a day that one member can give another; acceptances included.")
    receiver_cap: int = Field(description="Points a day that a member can receive; acceptances exempt.")
    half_life_days: int | None = Field(description="Days in which points lose half of their worth; null for never.")
    reach_points: int = Field(description="Points per distinct member who responded in 365 days.")
    weights: Weights


class ScoringPolicies(
    Answer,
    example={
        "items": [
            {
                "name": STANDARD_1.name,
                "effective_from": None,
                "points": dict(STANDARD_1.points),
                "sender_cap": 40,
                "receiver_cap": 200,
                "half_life_days": 90,
                "reach_points": 5,
                "weights": {"reach": 1, "resonance": 1, "authority": 1},
            }
        ]
    },
):
    """In the order of their effective dates."""

    items: list[ScoringPolicyAnswer]


@router.get("", operation_id="list_scoring_policies", summary="Versions of the scoring policy")
async def list_scoring_policies(me: Reader) -> ScoringPolicies:
    """The policy that influence is computed by."""
    return ScoringPolicies(items=[_shown(policy) for policy in STANDARD.versions])


def _shown(policy: ScoringPolicy) -> ScoringPolicyAnswer:
    reach, resonance, authority = policy.weights
    return ScoringPolicyAnswer(
        name=policy.name,
        effective_from=policy.effective_from,
        points=dict(policy.points),
        sender_cap=policy.sender_cap,
        receiver_cap=policy.receiver_cap,
        half_life_days=policy.half_life,
        reach_points=policy.reach_points,
        weights=Weights(reach=reach, resonance=resonance, authority=authority),
    )
