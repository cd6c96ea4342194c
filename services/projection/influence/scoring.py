"""Score = 5 × reach + resonance + authority, each with the policy's weight, in thousandths of a point.

Everything is computed for the end of one day from the facts known by then; docs/metrics.md has the definitions.
Members are given by place here, in the order of their ids, so that nothing hangs on who appeared first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.projection.days import Integers
from services.projection.influence.authority import Authority, authority
from services.projection.influence.facts import HERE, starts_of, sums
from services.projection.influence.member_index import UNKNOWN, MemberIndex
from services.projection.influence.participants import Participants, numbers_in
from services.projection.influence.points import Earned
from services.projection.policies import Policies, ScoringPolicy

WINDOW = 365
"""Days that reach and authority look back, the day itself included."""

TREND = 30
"""Days between the two scores whose difference is the trend."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Who responded to whom in the window: how often, when last, and the points that were given, negative ones out.

    Robots respond to nobody. Sorted by receiver and sender.
    """

    receiver: Integers
    sender: Integers
    count: Integers
    last_day: Integers
    points: Integers

    def __len__(self) -> int:
        return len(self.receiver)


@dataclass(frozen=True, slots=True)
class OfImports:
    """What of the scores rests on what was brought in, by place; all but reach in thousandths.

    Without it, reach and resonance are what they would be had nothing been brought in. Authority is of the whole graph:
    the part that came by points brought in is told, in proportion to them, not what it would be without.
    """

    reach: Integers
    resonance: Integers
    authority: Integers
    score: Integers


@dataclass(frozen=True, slots=True)
class DayScores:
    """Every member's influence at the end of a day, by place; resonance, authority, score in thousandths.

    `population` are those who were members at the end of the day, are no robots, and have a response given or received,
    or an action, in the window; authority is shared out among them, and `ranking` orders them by score, the same score
    by id. Others may still have reach and resonance.
    """

    day: int
    policies: Policies
    member_index: MemberIndex
    population: Integers
    ranking: Integers
    reach: Integers
    resonance: Integers
    authority: Integers
    score: Integers
    falling: Integers
    """Scores times -1 in the order of the ranking: so they rise, and one can be looked up among them."""
    earned: Sequence[Earned]
    """By number, as the earned blocks have it."""
    pairs: Pairs
    of_imports: OfImports
    importers: MemberIndex
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


def day_scores(
    every: Sequence[Earned],
    member_index: MemberIndex,
    importers: MemberIndex,
    active: Integers,
    participants: Participants,
    policies: Policies,
    day: int,
) -> DayScores:
    """Influence at the end of `day` from what had been earned by then.

    `active` are the places of the members with an action in [day - 364, day], `importers` who brought something in.
    """
    policy = policies.on(day)
    recent = _recent(every, day - WINDOW + 1, importers)
    pairs, brought = _pairs(recent, member_index, numbers_in(participants.robots))
    population = _population(recent, member_index, active, numbers_in(participants.members))
    reach = np.bincount(pairs.receiver, minlength=len(member_index))
    resonance = _resonance(every, member_index, policies, day)
    shares = _shares(pairs, population, member_index)
    rank = np.zeros(len(member_index), np.int64)
    rank[population] = shares.thousandths
    score = _score(policy, reach, resonance, rank)
    of_imports = OfImports(*[np.broadcast_to(np.int64(0), len(member_index))] * 4)  # no bytes of its own
    if brought is not None:
        brought_reach = np.bincount(pairs.receiver[~brought.here], minlength=len(member_index))
        brought_resonance = _resonance(every, member_index, policies, day, brought=True)
        brought_rank = np.zeros(len(member_index), np.int64)
        brought_rank[population] = _brought_rank(pairs, brought.points, population, member_index, shares)
        brought_score = _score(policy, brought_reach, brought_resonance, brought_rank)
        of_imports = OfImports(brought_reach, brought_resonance, brought_rank, brought_score)
    ranking = population[np.argsort(-score[population], kind="stable")]
    return DayScores(
        day=day,
        policies=policies,
        member_index=member_index,
        population=population,
        ranking=ranking,
        reach=reach,
        resonance=resonance,
        authority=rank,
        score=score,
        falling=-score[ranking],
        earned=every,
        pairs=pairs,
        of_imports=of_imports,
        importers=importers,
        shares=shares,
    )


def _score(policy: ScoringPolicy, reach: Integers, resonance: Integers, authority: Integers) -> Integers:
    of_reach, of_resonance, of_authority = policy.weights
    return of_reach * policy.reach_points * 1000 * reach + of_resonance * resonance + of_authority * authority


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


def _resonance(
    every: Sequence[Earned], member_index: MemberIndex, policies: Policies, day: int, *, brought: bool = False
) -> Integers:
    """Of everybody; of what was brought in alone, where that is asked."""
    # Whole numbers below 2^53 add up exactly as floats.
    total = np.zeros(len(member_index))
    for part in every:
        decay = _decay(part.facts.day, policies, day)
        # Of ten years, most has decayed to less than a thousandth a row, which is nothing at all.
        if part.most * 1000.0 * max(decay, default=0.0) >= 1:
            points = part.points * (part.facts.importer != HERE) if brought else part.points
            total += np.bincount(part.facts.receiver, _worth(part.facts.day, points, decay), len(member_index))
    return total[member_index.numbers].astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Recent:
    """Facts of a window and what they earned, the rows of each part in the order of its pairs."""

    day: Integers
    receiver: Integers
    sender: Integers
    count: Integers
    points: Integers
    importer: Integers | None
    """None where nobody has brought anything in."""


def _recent(every: Sequence[Earned], first: int, importers: MemberIndex) -> _Recent:
    """All parts together, from a day on."""
    parts = [part.since(first) for part in every if len(part) and part.facts.day[-1] >= first]
    facts = [(part.facts, part.by_pair) for part in parts]
    return _Recent(
        day=_together([each.day[order] for each, order in facts]),
        receiver=_together([each.receiver[order] for each, order in facts]),
        sender=_together([each.sender[order] for each, order in facts]),
        count=_together([each.count[order] for each, order in facts]),
        points=_together([part.points[part.by_pair] for part in parts]),
        importer=_together([each.importer[order] for each, order in facts]) if len(importers) else None,
    )


def _together(columns: Sequence[Integers]) -> Integers:
    return np.concatenate(columns) if columns else np.zeros(0, np.int32)


class _BroughtPairs(NamedTuple):
    """Of each pair, whether any response was given here, and the points of those that were brought in."""

    here: npt.NDArray[np.bool_]
    points: Integers


def _pairs(recent: _Recent, member_index: MemberIndex, robots: Integers) -> tuple[Pairs, _BroughtPairs | None]:
    # An acceptance given, which is no response, has no known sender either.
    counts = np.ones(len(member_index) + 1, np.bool_)  # by number; that of nobody known is the last
    counts[robots] = counts[UNKNOWN] = False
    known = np.flatnonzero(counts[recent.sender])
    key = (
        member_index.places[recent.receiver[known]] * np.int64(len(member_index))
        + member_index.places[recent.sender[known]]
    )
    order = np.argsort(key, kind="stable")
    starts = starts_of(key[order])
    rows = known[order]
    first = rows[starts]
    days, points = recent.day[rows], np.maximum(recent.points[rows], 0)
    brought = None
    if recent.importer is not None:
        here = recent.importer[rows] == HERE
        any_here = np.logical_or.reduceat(here, starts) if len(starts) else here
        brought = _BroughtPairs(any_here, sums(points * ~here, starts))
    # Scores are kept, and a year of one pair fits into 32 bits.
    pairs = Pairs(
        receiver=member_index.places[recent.receiver[first]],
        sender=member_index.places[recent.sender[first]],
        count=sums(recent.count[rows], starts).astype(np.int32),
        last_day=np.maximum.reduceat(days, starts) if len(starts) else days,
        points=sums(points, starts).astype(np.int32),
    )
    return pairs, brought


def _population(recent: _Recent, member_index: MemberIndex, active: Integers, members: Integers) -> Integers:
    # Somebody who gave an acceptance sent it too, so that the row of what it earned them adds nobody.
    there = np.zeros(len(member_index) + 1, np.bool_)  # by number; that of nobody known is the last
    there[recent.receiver] = True
    there[recent.sender] = True
    there = there[member_index.numbers]
    there[active] = True
    took_part = np.zeros(len(member_index), np.bool_)
    took_part[member_index.places[members]] = True
    return np.flatnonzero(there & took_part)


def _shares(pairs: Pairs, population: Integers, member_index: MemberIndex) -> Authority:
    edges, sender, receiver = _edges(pairs, population, member_index, pairs.points > 0)
    return authority(len(population), sender, receiver, pairs.points[edges])


def _edges(
    pairs: Pairs, population: Integers, member_index: MemberIndex, wanted: npt.NDArray[np.bool_]
) -> tuple[Integers, Integers, Integers]:
    """Those of the wanted pairs that are within the population; senders and receivers by place in it.

    What comes from outside the population or goes there gives nobody authority.
    """
    place = np.full(len(member_index), -1, np.int64)
    place[population] = np.arange(len(population))
    sender, receiver = place[pairs.sender], place[pairs.receiver]
    edges = np.flatnonzero(wanted & (sender >= 0) & (receiver >= 0))
    return edges, sender[edges], receiver[edges]


def _brought_rank(
    pairs: Pairs, points: Integers, population: Integers, member_index: MemberIndex, shares: Authority
) -> Integers:
    """The thousandths of each one's authority that came by the `points` brought in, in proportion to them.

    It is what `apportioned` makes of the two parts, what was done here being the first.
    """
    members = len(population)
    edges, sender, receiver = _edges(pairs, population, member_index, points > 0)
    if not len(edges):
        return np.zeros(members, np.int64)
    brought = np.bincount(receiver, points[edges] * shares.per_point[sender], members)
    edges, sender, receiver = _edges(pairs, population, member_index, pairs.points > points)
    here = (pairs.points - points)[edges] * shares.per_point[sender]
    given_here = np.bincount(receiver, here, members) + shares.base
    exact = shares.thousandths * (brought / (brought + given_here))
    whole = np.floor(exact)
    return (whole + (np.round(exact - whole, 3) > 0.5)).astype(np.int64)
