"""An explanation lists what a member's score is made of; the thousandths of its items add up to the score exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from services.projection.days import Integers
from services.projection.influence.authority import apportioned
from services.projection.influence.facts import grouped, sums
from services.projection.influence.points import GIVEN
from services.projection.influence.scoring import WINDOW, DayScores, thousandths
from services.projection.policies import KINDS

Part = Literal["reach", "resonance", "authority"]


@dataclass(frozen=True, slots=True)
class Item:
    """One contribution to a score; `sender` is a member's place, None for nobody known or nobody at all.

    - reach: a member who responded in the window; `day` of their last response, `count` of responses.
    - resonance: a fact; `count` of responses of that kind on that day, `points` they earned after caps.
    - authority: what a member passes on, `points` they gave in the window; kind `base` is what everybody has.

    `importer` is the place of who brought in what it rests on, None where it was done here: a member reached by any
    response that was given here is reached here, else by what the first of the importers brought in.
    """

    part: Part
    day: int | None
    sender: int | None
    kind: str | None
    count: int | None
    points: int | None
    importer: int | None
    thousandths: int


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a member received, the newest first; senders by place, importers by turn: 0 for what was done here, then in
    the order of their ids.
    """

    day: Integers
    sender: Integers
    kind: Integers
    count: Integers
    points: Integers
    importer: Integers
    thousandths: Integers


@dataclass(frozen=True, slots=True)
class _Passed:
    """What each member passes on of authority, apart by importer; the first has no sender and is what everybody has."""

    sender: Integers
    points: Integers
    importer: Integers
    thousandths: Integers


class Contributions:
    """Reach, resonance, authority, in this order; the newest facts first. `total` is the member's score.

    The most influential have tens of thousands of items, so that only those are made that are shown.
    """

    def __init__(self, day_scores: DayScores, member: int) -> None:
        self._day_scores = day_scores
        self._reach = range(
            *np.searchsorted(day_scores.pairs.receiver, np.array([member, member + 1], np.int32)).tolist()
        )
        self._facts = _facts(day_scores, member)
        senders = day_scores.pairs.sender[self._reach.start : self._reach.stop]
        pair = np.searchsorted(senders, self._facts.sender)
        # A robot reaches nobody, nor does who accepts by that.
        known = np.flatnonzero(np.append(senders, -1)[pair] == self._facts.sender)
        recent = known[(self._facts.day[known] > day_scores.day - WINDOW) & (self._facts.kind[known] != GIVEN)]
        self._reached_by = np.full(len(senders), len(day_scores.importers) + 1, np.int32)
        np.minimum.at(self._reached_by, pair[recent], self._facts.importer[recent])
        self._authority = _authority(day_scores, member, self._facts, recent)
        weights = day_scores.policy.weights
        self._each = (1000 * day_scores.policy.reach_points * weights[0], *weights[1:])
        """Thousandths of a score for each member reached, and for each thousandth of resonance and of authority."""
        self.total = sum(each.score for each in self.by_importer.values())

    @cached_property
    def by_importer(self) -> dict[int | None, Brought]:
        """What of the score rests on what each importer brought in, by place, and on what was done here (None)."""
        numbers = len(self._day_scores.importers) + 1
        columns = (
            np.bincount(self._reached_by, minlength=numbers),
            *(
                np.bincount(part.importer, part.thousandths, numbers).astype(np.int64)
                for part in (self._facts, self._authority)
            ),
        )
        each = zip(*(column.tolist() for column in columns), strict=True)
        found = {
            turn - 1 if turn else None: Brought(parts[0], parts[1], parts[2], self._each)
            for turn, parts in enumerate(each)
        }
        return {importer: brought for importer, brought in found.items() if any(brought.parts) or importer is None}

    def __len__(self) -> int:
        return len(self._reach) + len(self._facts.day) + len(self._authority.sender)

    def items(self, begin: int = 0, end: int | None = None) -> list[Item]:
        """Those from one to before another."""
        places = range(len(self))[begin:end]
        reached, facts = len(self._reach), len(self._reach) + len(self._facts.day)
        return [
            *self._of_reach(_cut(places, 0, reached)),
            *self._of_resonance(_cut(places, reached, facts)),
            *self._of_authority(_cut(places, facts, len(self))),
        ]

    def _of_reach(self, wanted: slice) -> Iterator[Item]:
        pairs, points = self._day_scores.pairs, self._day_scores.policy.reach_points
        rows = self._reach[wanted]
        columns = (column[rows.start : rows.stop] for column in (pairs.sender, pairs.last_day, pairs.count))
        for sender, day, count, turn in _rows(*columns, self._reached_by[wanted]):
            yield Item("reach", day, sender, None, count, points, _place(turn), self._each[0])

    def _of_resonance(self, wanted: slice) -> Iterator[Item]:
        nobody, facts = len(self._day_scores.member_index), self._facts
        columns = (facts.day, facts.sender, facts.kind, facts.count, facts.points, facts.importer, facts.thousandths)
        for day, sender, kind, count, points, turn, worth in _rows(*(column[wanted] for column in columns)):
            known, importer = None if sender == nobody else sender, _place(turn)
            yield Item("resonance", day, known, KINDS[kind], count, points, importer, worth * self._each[1])

    def _of_authority(self, wanted: slice) -> Iterator[Item]:
        passed = self._authority
        columns = (passed.sender, passed.points, passed.importer, passed.thousandths)
        for sender, points, turn, worth in _rows(*(column[wanted] for column in columns)):
            base, worth = sender < 0, worth * self._each[2]
            if base:
                yield Item("authority", None, None, "base", None, None, None, worth)
            else:
                yield Item("authority", None, sender, None, None, points, _place(turn), worth)


@dataclass(frozen=True, slots=True)
class Brought:
    """A part of a score: members reached, resonance and authority in thousandths; `worth` is what each is worth."""

    reach: int
    resonance: int
    authority: int
    worth: tuple[int, int, int]

    @property
    def parts(self) -> tuple[int, int, int]:
        return self.reach, self.resonance, self.authority

    @property
    def score(self) -> int:
        return sum(part * each for part, each in zip(self.parts, self.worth, strict=True))


def _place(turn: int) -> int | None:
    return turn - 1 if turn else None


def _rows(*columns: Integers) -> Iterator[tuple[int, ...]]:
    return zip(*(column.tolist() for column in columns), strict=True)


def _cut(places: range, first: int, after: int) -> slice:
    """The part of a stretch that is within [first, after), counted from first."""
    begin = min(max(places.start, first), after)
    return slice(begin - first, max(min(places.stop, after), begin) - first)


def _facts(day_scores: DayScores, member: int) -> _Facts:
    member_index, number = day_scores.member_index, int(day_scores.member_index.numbers[member])
    turns = np.append(day_scores.importers.places[:-1] + 1, 0)
    columns: list[tuple[Integers, ...]] = [(np.zeros(0, np.int64),) * 7]
    for part in day_scores.earned:
        rows = np.flatnonzero(part.facts.receiver == number)
        facts, points = part.facts[rows], part.points[rows]
        worth = thousandths(facts.day, points, day_scores.policies, day_scores.day).astype(np.int64)
        sender, importer = member_index.places[facts.sender], turns[facts.importer]
        columns.append((facts.day, sender, facts.kind, facts.count, points, importer, worth))
    together = _Facts(*(np.concatenate(column) for column in zip(*columns, strict=True)))
    newest_first = np.lexsort((together.importer, together.kind, together.sender, together.day))[::-1]
    return _Facts(*(column[newest_first] for column in _columns(together)))


def _columns(facts: _Facts) -> tuple[Integers, ...]:
    return (facts.day, facts.sender, facts.kind, facts.count, facts.points, facts.importer, facts.thousandths)


def _authority(day_scores: DayScores, member: int, facts: _Facts, recent: Integers) -> _Passed:
    """What everybody has, and what came by the points each member gave within the window: `recent` are those facts.

    What came by points brought in and what did not are apportioned each for itself, as the ranking tells them apart.
    """
    nothing = np.zeros(0, np.int64)
    population, shares = day_scores.population, day_scores.shares
    place = int(np.searchsorted(population, member))
    if place == len(population) or population[place] != member:
        return _Passed(nothing, nothing, nothing, nothing)
    given = recent[(facts.points[recent] > 0) & np.isin(facts.sender[recent], population)]
    order, starts = grouped(facts.sender[given], facts.importer[given])
    first = given[order[starts]]
    sender, importer = (np.append(nothing, column[first]) for column in (facts.sender, facts.importer))
    points = sums(facts.points[given[order]], starts)
    flow = points * shares.per_point[np.searchsorted(population, sender)]
    parts, brought = np.append(shares.base, flow), np.append(False, importer > 0)
    whole, of_imports = int(day_scores.authority[member]), int(day_scores.of_imports.authority[member])
    worth = np.zeros(len(parts), np.int64)
    worth[~brought] = apportioned(whole - of_imports, parts[~brought])
    if brought.any():
        worth[brought] = apportioned(of_imports, parts[brought])
    return _Passed(np.append(-1, sender), np.append(0, points), np.append(0, importer), worth)
