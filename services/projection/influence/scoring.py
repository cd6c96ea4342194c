"""Score = 5 × reach + resonance + authority, each with the policy's weight, in thousandths of a point.

Everything is computed for the end of one day from the facts known by then; docs/metrics.md has the definitions.
Members are given by place here, in the order of their ids, so that nothing hangs on who appeared first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.projection.days import Integers
from services.projection.influence.authority import Authority, authority
from services.projection.influence.facts import starts_of, sums
from services.projection.influence.people import Participants, numbers_in
from services.projection.influence.points import Earned
from services.projection.influence.roster import UNKNOWN, Roster
from services.projection.policies import Policies, ScoringPolicy

WINDOW = 365
"""Days that reach and authority look back, the day itself included."""

TREND = 30
"""Days between the two scores whose difference is the trend."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Who responded to whom in the window: how often, when last, and the points that were given, negative ones out.

    Robots respond to nobody.
    Sorted by receiver and sender.
    """

    receiver: Integers
    sender: Integers
    count: Integers
    last_day: Integers
    points: Integers

    def __len__(self) -> int:
        return len(self.receiver)


@dataclass(frozen=True, slots=True)
class Standing:
    """Every member's influence at the end of a day, by place; resonance, authority, score in thousandths.

    `population` are those who were members at the end of the day, are no robots, and have a response given or received,
    or an action, in the window; authority is shared out among them, and `ranking` orders them by score, the same score
    by id. Others may still have reach and resonance.
    """

    day: int
    policies: Policies
    roster: Roster
    population: Integers
    ranking: Integers
    reach: Integers
    resonance: Integers
    authority: Integers
    score: Integers
    falling: Integers
    """Scores times -1 in the order of the ranking: so they rise, and one can be looked up among them."""
    earned: Sequence[Earned]
    """By number, as the ledger has it."""
    pairs: Pairs
    shares: Authority
    """Authority within the population, numbered by place in it; what flows are the points of `pairs` within it."""

    @property
    def policy(self) -> ScoringPolicy:
        """The one in effect on the day, whose weights count."""
        return self.policies.on(self.day)

    def percentile(self, member: int) -> float:
        """The share of the population, 0 to 1, that scores lower; in whole steps of 1/10,000, rounded down."""
        size = len(self.ranking)
        not_lower = int(np.searchsorted(self.falling, -self.score[member], side="right"))
        return (size - not_lower) * 10_000 // size / 10_000 if size else 0.0


def standing(
    every: Sequence[Earned],
    roster: Roster,
    active: Integers,
    participants: Participants,
    policies: Policies,
    day: int,
) -> Standing:
    """Influence at the end of `day` from what had been earned by then.

    `active` are the places of the members with an action in [day - 364, day].
    """
    policy = policies.on(day)
    recent = _recent(every, day - WINDOW + 1)
    pairs = _pairs(recent, roster, numbers_in(participants.robots))
    population = _population(recent, roster, active, numbers_in(participants.members))
    reach = np.bincount(pairs.receiver, minlength=len(roster))
    resonance = _resonance(every, roster, policies, day)
    shares = _shares(pairs, population, roster)
    rank = np.zeros(len(roster), np.int64)
    rank[population] = shares.thousandths
    of_reach, of_resonance, of_authority = policy.weights
    score = of_reach * policy.reach_points * 1000 * reach + of_resonance * resonance + of_authority * rank
    ranking = population[np.argsort(-score[population], kind="stable")]
    return Standing(
        day=day,
        policies=policies,
        roster=roster,
        population=population,
        ranking=ranking,
        reach=reach,
        resonance=resonance,
        authority=rank,
        score=score,
        falling=-score[ranking],
        earned=every,
        pairs=pairs,
        shares=shares,
    )


def thousandths(days: Integers, points: Integers, policies: Policies, day: int) -> npt.NDArray[np.float64]:
    """What rows, sorted by day, are worth at an age: points × 1000 × 2^(-age / half-life), rounded toward zero.

    The factor is a 64-bit float, computed once for each age by Python's own power, the product by one multiplication.
    """
    return _worth(days, points, _decay(days, policies, day))


def _decay(days: Integers, policies: Policies, day: int) -> list[float]:
    """The factor of each day from the first of these to the last."""
    return [policies.on(then).decay(day - then) for then in _span(days).tolist()]


def _worth(days: Integers, points: Integers, decay: Sequence[float]) -> npt.NDArray[np.float64]:
    rows = np.diff(np.append(np.searchsorted(days, _span(days)), len(days)))
    worth: npt.NDArray[np.float64] = np.trunc((points * 1000.0) * np.repeat(decay, rows))
    return worth


def _span(days: Integers) -> Integers:
    return np.arange(days[0], days[-1] + 1) if len(days) else days


def _resonance(every: Sequence[Earned], roster: Roster, policies: Policies, day: int) -> Integers:
    # Whole numbers below 2^53 add up exactly as floats.
    total = np.zeros(len(roster))
    for part in every:
        decay = _decay(part.facts.day, policies, day)
        # Of ten years, most has decayed to less than a thousandth a row, which is nothing at all.
        if part.most * 1000.0 * max(decay, default=0.0) >= 1:
            total += np.bincount(part.facts.receiver, _worth(part.facts.day, part.points, decay), len(roster))
    return total[roster.numbers].astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Recent:
    """Facts of a window and what they earned, the rows of each part in the order of its pairs."""

    day: Integers
    receiver: Integers
    sender: Integers
    count: Integers
    points: Integers


def _recent(every: Sequence[Earned], first: int) -> _Recent:
    """All parts together, from a day on."""
    parts = [part.since(first) for part in every if len(part) and part.facts.day[-1] >= first]
    facts = [(part.facts, part.by_pair) for part in parts]
    return _Recent(
        day=_together([each.day[order] for each, order in facts]),
        receiver=_together([each.receiver[order] for each, order in facts]),
        sender=_together([each.sender[order] for each, order in facts]),
        count=_together([each.count[order] for each, order in facts]),
        points=_together([part.points[part.by_pair] for part in parts]),
    )


def _together(columns: Sequence[Integers]) -> Integers:
    return np.concatenate(columns) if columns else np.zeros(0, np.int32)


def _pairs(recent: _Recent, roster: Roster, robots: Integers) -> Pairs:
    # An acceptance given, which is no response, has no known sender either.
    counts = np.ones(len(roster) + 1, np.bool_)  # by number; that of nobody known is the last
    counts[robots] = counts[UNKNOWN] = False
    known = np.flatnonzero(counts[recent.sender])
    key = roster.places[recent.receiver[known]] * np.int64(len(roster)) + roster.places[recent.sender[known]]
    order = np.argsort(key, kind="stable")
    starts = starts_of(key[order])
    rows = known[order]
    first = rows[starts]
    days = recent.day[rows]
    # Standings are kept, and a year of one pair fits into 32 bits.
    return Pairs(
        receiver=roster.places[recent.receiver[first]],
        sender=roster.places[recent.sender[first]],
        count=sums(recent.count[rows], starts).astype(np.int32),
        last_day=np.maximum.reduceat(days, starts) if len(starts) else days,
        points=sums(np.maximum(recent.points[rows], 0), starts).astype(np.int32),
    )


def _population(recent: _Recent, roster: Roster, active: Integers, members: Integers) -> Integers:
    # Somebody who gave an acceptance sent it too, so that the row of what it earned them adds nobody.
    there = np.zeros(len(roster) + 1, np.bool_)  # by number; that of nobody known is the last
    there[recent.receiver] = True
    there[recent.sender] = True
    there = there[roster.numbers]
    there[active] = True
    took_part = np.zeros(len(roster), np.bool_)
    took_part[roster.places[members]] = True
    return np.flatnonzero(there & took_part)


def _shares(pairs: Pairs, population: Integers, roster: Roster) -> Authority:
    place = np.full(len(roster), -1, np.int64)
    place[population] = np.arange(len(population))
    sender, receiver = place[pairs.sender], place[pairs.receiver]
    # What comes from outside the population or goes there gives nobody authority.
    edges = np.flatnonzero((pairs.points > 0) & (sender >= 0) & (receiver >= 0))
    return authority(len(population), sender[edges], receiver[edges], pairs.points[edges])
