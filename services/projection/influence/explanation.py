"""An explanation lists what a member's score is made of; the thousandths of its items add up to the score exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.projection.days import Integers
from services.projection.influence.authority import apportioned
from services.projection.influence.roster import UNKNOWN
from services.projection.influence.scoring import Standing, thousandths
from services.projection.policies import KINDS

Part = Literal["reach", "resonance", "authority"]


@dataclass(frozen=True, slots=True)
class Item:
    """One contribution to a score; `sender` is a member's place, None for nobody known or nobody at all.

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


class Contributions:
    """Reach, resonance, authority, in this order; the newest facts first. `total` is the member's score.

    The most influential have tens of thousands of items, so that only those are made that are shown.
    """

    def __init__(self, standing: Standing, member: int) -> None:
        self._standing = standing
        self._member = member
        self._reach = range(
            *np.searchsorted(standing.pairs.receiver, np.array([member, member + 1], np.int32)).tolist()
        )
        self._facts = _facts(standing, int(standing.roster.numbers[member]))
        self._edges, self._authority = _authority(standing, member, self._reach)
        self._each_reach = 1000 * standing.policy.reach_points * standing.policy.weights[0]
        self.total = (
            self._each_reach * len(self._reach)
            + int(self._facts[-1].sum()) * standing.policy.weights[1]
            + int(self._authority.sum()) * standing.policy.weights[2]
        )

    def __len__(self) -> int:
        return len(self._reach) + len(self._facts[0]) + len(self._authority)

    def items(self, begin: int = 0, end: int | None = None) -> list[Item]:
        """Those from one to before another."""
        places = range(len(self))[begin:end]
        reached, facts = len(self._reach), len(self._reach) + len(self._facts[0])
        return [
            *self._of_reach(_cut(places, 0, reached)),
            *self._of_resonance(_cut(places, reached, facts)),
            *self._of_authority(_cut(places, facts, len(self))),
        ]

    def _of_reach(self, wanted: slice) -> Iterator[Item]:
        pairs, points = self._standing.pairs, self._standing.policy.reach_points
        rows = self._reach[wanted]
        columns = (column[rows.start : rows.stop].tolist() for column in (pairs.sender, pairs.last_day, pairs.count))
        for sender, day, count in zip(*columns, strict=True):
            yield Item("reach", day, sender, None, count, points, self._each_reach)

    def _of_resonance(self, wanted: slice) -> Iterator[Item]:
        weight, places = self._standing.policy.weights[1], self._standing.roster.places
        for day, sender, kind, count, points, worth in zip(*(c[wanted].tolist() for c in self._facts), strict=True):
            known = None if sender == UNKNOWN else int(places[sender])
            yield Item("resonance", day, known, KINDS[kind], count, points, worth * weight)

    def _of_authority(self, wanted: slice) -> Iterator[Item]:
        standing, weight = self._standing, self._standing.policy.weights[2]
        for place, worth in zip(range(wanted.start, wanted.stop), self._authority[wanted].tolist(), strict=True):
            if place == 0:
                yield Item("authority", None, None, "base", None, None, worth * weight)
                continue
            pair = self._edges[place - 1]
            sender, points = int(standing.pairs.sender[pair]), int(standing.pairs.points[pair])
            yield Item("authority", None, sender, None, None, points, worth * weight)


def _cut(places: range, first: int, after: int) -> slice:
    """The part of a stretch that is within [first, after), counted from first."""
    begin = min(max(places.start, first), after)
    return slice(begin - first, max(min(places.stop, after), begin) - first)


def _facts(standing: Standing, number: int) -> tuple[Integers, ...]:
    """Day, sender's number, kind, count, points and thousandths of each fact a member received, the newest first."""
    columns: list[tuple[Integers, ...]] = []
    for part in standing.earned:
        rows = np.flatnonzero(part.facts.receiver == number)
        facts, points = part.facts[rows], part.points[rows]
        worth = thousandths(facts.day, points, standing.policies, standing.day).astype(np.int64)
        columns.append((facts.day, facts.sender, facts.kind, facts.count, points, worth))
    if not columns:
        return (np.zeros(0, np.int64),) * 6
    day, sender, kind, *others = (np.concatenate(column) for column in zip(*columns, strict=True))
    newest_first = np.lexsort((kind, standing.roster.places[sender], day))[::-1]
    return tuple(column[newest_first] for column in (day, sender, kind, *others))


def _authority(standing: Standing, member: int, pairs: range) -> tuple[Integers, Integers]:
    """The pairs that give a member something, and in thousandths what everybody has and what came by each of them."""
    nothing = np.zeros(0, np.int64)
    population, shares = standing.population, standing.shares
    place = int(np.searchsorted(population, member))
    if place == len(population) or population[place] != member:
        return nothing, nothing
    points = standing.pairs.points[pairs.start : pairs.stop]
    edges = pairs.start + np.flatnonzero(points)
    edges = edges[np.isin(standing.pairs.sender[edges], population)]
    senders = np.searchsorted(population, standing.pairs.sender[edges].astype(np.int64))
    parts = np.append(shares.base, standing.pairs.points[edges] * shares.per_point[senders])
    return edges, apportioned(int(standing.authority[member]), parts)
