"""A scoring policy says what a response is worth; versions are never rewritten, each counts from its effective date.

A fact is scored by the policy in effect on its own day; the three weights are those of the day that is asked about.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.projection.days import number_of

ACCEPTANCE_GIVEN = "acceptance_given"
"""What the one who accepts an answer earns by it. It is no response: it counts in resonance alone."""

KINDS = (
    "positive_reaction",
    "negative_reaction",
    "acceptance",
    ACCEPTANCE_GIVEN,
    "reply",
    "comment",
    "share",
    "check_in",
    "referral",
)
"""Kinds of facts in the order in which daily caps are filled; a new kind goes to the end."""

CAP_EXEMPT = frozenset({"acceptance", ACCEPTANCE_GIVEN})
"""Kinds that the cap of a receiver leaves out; that of a sender and a receiver holds for all."""


@dataclass(frozen=True)
class ScoringPolicy:
    """Points per response received, by kind; caps in points a day; half-life in days, or None for no decay.

    Weights (of reach, resonance, authority) are whole numbers: a score has no unit, only their ratio matters, and so
    the score stays a sum of integers.
    """

    name: str
    effective_from: date | None
    points: Mapping[str, int]
    sender_cap: int
    receiver_cap: int
    half_life: int | None
    reach_points: int
    weights: tuple[int, int, int]

    def decay(self, age: int) -> float:
        """The share of its points that a fact keeps at an age in days: 2^(-age / half-life)."""
        return 1.0 if self.half_life is None else 2.0 ** (-age / self.half_life)


STANDARD_1 = ScoringPolicy(
    name="standard-1",
    effective_from=None,
    points={
        "positive_reaction": 10,
        "negative_reaction": -2,
        "acceptance": 15,
        ACCEPTANCE_GIVEN: 2,
        "reply": 3,
        "comment": 2,
        "share": 8,
        "check_in": 4,
        "referral": 20,
    },
    sender_cap=40,
    receiver_cap=200,
    half_life=90,
    reach_points=5,
    weights=(1, 1, 1),
)


class Policies:
    """The versions of a community's policy; the first is in effect from the beginning of time."""

    def __init__(self, versions: Sequence[ScoringPolicy]) -> None:
        first, *later = sorted(versions, key=lambda p: p.effective_from or date.min)
        if first.effective_from is not None or any(p.effective_from is None for p in later):
            raise ValueError("Exactly one policy, the first, has no effective date.")
        self.versions: tuple[ScoringPolicy, ...] = (first, *later)
        self.starts = [number_of(p.effective_from) for p in later if p.effective_from is not None]
        """The days on which a later version takes over, ascending."""

    def on(self, day: int) -> ScoringPolicy:
        """The policy in effect on a day."""
        return self.versions[bisect_right(self.starts, day)]


STANDARD = Policies([STANDARD_1])
"""What every community uses until it publishes a policy of its own."""
