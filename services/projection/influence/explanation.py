"""An explanation lists what a member's score is made of; the thousandths of its items add up to the score exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.projection.influence.authority import apportioned
from services.projection.influence.points import GIVEN
from services.projection.influence.scoring import Standing
from services.projection.policies import KINDS

Part = Literal["reach", "resonance", "authority"]


@dataclass(frozen=True, slots=True)
class Item:
    """One contribution to a score; `sender` is a member number, None for nobody known or nobody at all.

    - reach: a member who responded in the window; `day` of their last response, `count` of responses.
    - resonance: a fact; `count` of responses of that kind on that day, `points` they earned after caps.
    - authority: what a member passes on, `points` they gave in the window; kind `base` is what everybody has.
    """

    part: Part
    day: int | None
    sender: int | None
    kind: str | None
    count: int | None
    points: int | None
    thousandths: int


def explain(standing: Standing, member: int) -> list[Item]:
    """All items of a member's score, the newest facts first; their sum is `standing.score[member]`."""
    return [*_reach(standing, member), *_resonance(standing, member), *_authority(standing, member)]


def _reach(standing: Standing, member: int) -> Iterator[Item]:
    pairs, policy = standing.pairs, standing.policy
    each = policy.reach_points
    for row in np.flatnonzero(pairs.receiver == member):
        sender, day, count = int(pairs.sender[row]), int(pairs.last_day[row]), int(pairs.count[row])
        yield Item("reach", day, sender, None, count, each, 1000 * each * policy.weights[0])


def _resonance(standing: Standing, member: int) -> Iterator[Item]:
    facts, points, thousandths = standing.earned.facts, standing.earned.points, standing.rows
    weight = standing.policy.weights[1]
    for row in np.flatnonzero(facts.receiver == member)[::-1]:
        sender = int(facts.sender[row])
        yield Item(
            "resonance",
            int(facts.day[row]),
            None if sender == facts.members or facts.kind[row] == GIVEN else sender,
            KINDS[facts.kind[row]],
            int(facts.count[row]),
            int(points[row]),
            int(thousandths[row]) * weight,
        )


def _authority(standing: Standing, member: int) -> Iterator[Item]:
    place = int(np.searchsorted(standing.population, member))
    if place == len(standing.population) or standing.population[place] != member:
        return
    shares, weight = standing.shares, standing.policy.weights[2]
    edges = np.flatnonzero(shares.receiver == place)
    whole = apportioned(int(standing.authority[member]), np.append(shares.base, shares.flow[edges]))
    yield Item("authority", None, None, "base", None, None, int(whole[0]) * weight)
    for edge, thousandths in zip(edges, whole[1:], strict=True):
        sender, points = int(standing.population[shares.sender[edge]]), int(shares.weight[edge])
        yield Item("authority", None, sender, None, None, points, int(thousandths) * weight)
