"""Score = 5 × reach + resonance + authority, each with the policy's weight, in thousandths of a point.

Everything is computed for the end of one day from the facts known by then; docs/metrics.md has the definitions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.projection.days import Integers
from services.projection.influence.authority import Authority, authority
from services.projection.influence.facts import grouped, sums
from services.projection.influence.points import Earned
from services.projection.policies import Policies, ScoringPolicy

WINDOW = 365
"""Days that reach and authority look back, the day itself included."""

TREND = 30
"""Days between the two scores whose difference is the trend."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Who responded to whom in the window: how often, when last, and the points that were given, negative ones out."""

    receiver: Integers
    sender: Integers
    count: Integers
    last_day: Integers
    points: Integers


@dataclass(frozen=True, slots=True)
class Standing:
    """Every member's influence at the end of a day, by member number; resonance, authority, score in thousandths.

    `population` are the members with a response given or received, or an action, in the window; authority is shared
    out among them, and `ranking` orders them by score, the same score by id. Others may still have resonance.
    """

    day: int
    policy: ScoringPolicy
    population: Integers
    ranking: Integers
    reach: Integers
    resonance: Integers
    authority: Integers
    score: Integers
    earned: Earned
    rows: Integers
    """Thousandths of each row of `earned`."""
    pairs: Pairs
    shares: Authority
    """Authority within the population, numbered by place in it."""

    def percentile(self, member: int) -> float:
        """The share of the population, 0 to 1, that scores lower; in whole steps of 1/10,000, rounded down."""
        size = len(self.ranking)
        not_lower = int(np.searchsorted(-self.score[self.ranking], -self.score[member], side="right"))
        return (size - not_lower) * 10_000 // size / 10_000 if size else 0.0


def standing(every: Earned, active: Integers, policies: Policies, day: int) -> Standing:
    """Influence at the end of `day` from what had been earned by then.

    `active` are the numbers of the members with an action in [day - 364, day].
    """
    members = every.facts.members
    policy = policies.on(day)
    rows = resonance_rows(every, policies, day)
    pairs = _pairs(every, day)
    reach = np.bincount(pairs.receiver, minlength=members)
    resonance = np.zeros(members, np.int64)
    np.add.at(resonance, every.facts.receiver, rows)
    population = _population(every, active, day)
    shares = _shares(pairs, population)
    rank = np.zeros(members, np.int64)
    rank[population] = shares.thousandths
    of_reach, of_resonance, of_authority = policy.weights
    score = of_reach * policy.reach_points * 1000 * reach + of_resonance * resonance + of_authority * rank
    ranking = population[np.lexsort((population, -score[population]))]
    return Standing(day, policy, population, ranking, reach, resonance, rank, score, every, rows, pairs, shares)


def resonance_rows(earned: Earned, policies: Policies, day: int) -> Integers:
    """Thousandths of each row at an age: points × 1000 × 2^(-age / half-life), rounded toward zero.

    The factor is a 64-bit float, computed once for each age by Python's own power, the product by one multiplication.
    """
    thousandths = np.zeros(len(earned.points), np.int64)
    if not len(thousandths):
        return thousandths
    days = earned.facts.day
    oldest = int(days[0])
    decay = np.array([policies.on(then).decay(day - then) for then in range(oldest, day + 1)])
    whole: Integers = np.trunc((earned.points * 1000) * decay[days - oldest]).astype(np.int64)
    return whole


def _pairs(earned: Earned, day: int) -> Pairs:
    facts = earned.facts
    # An acceptance given, which is no response, has no known sender either.
    rows = (facts.sender != facts.members) & (facts.day > day - WINDOW)
    receiver, sender, days = facts.receiver[rows], facts.sender[rows], facts.day[rows]
    order, starts = grouped(receiver, sender)
    first = order[starts]
    return Pairs(
        receiver=receiver[first],
        sender=sender[first],
        count=sums(facts.count[rows][order], starts),
        last_day=np.maximum.reduceat(days[order], starts) if len(starts) else days,
        points=sums(np.maximum(earned.points[rows], 0)[order], starts),
    )


def _population(earned: Earned, active: Integers, day: int) -> Integers:
    facts = earned.facts
    responses = earned.responses & (facts.day > day - WINDOW)
    there = np.zeros(facts.members + 1, np.bool_)
    there[facts.receiver[responses]] = True
    there[facts.sender[responses]] = True
    there[active] = True
    return np.flatnonzero(there[: facts.members])


def _shares(pairs: Pairs, population: Integers) -> Authority:
    edges = pairs.points > 0
    receiver = np.searchsorted(population, pairs.receiver[edges])
    sender = np.searchsorted(population, pairs.sender[edges])
    return authority(len(population), sender, receiver, pairs.points[edges])
