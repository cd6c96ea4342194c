"""What each fact earns: points by kind under the policy of its own day, less what exceeds the day's caps.

Caps hold positive points back: first at most `sender_cap` a day from one known sender to one receiver, in the order of
kinds; of what is left, those of acceptances excepted, at most `receiver_cap` a day to one receiver, in the order of
senders' ids and kinds, the unknown sender last. What was done here comes before what was brought in, and that in the
order of the importers' ids: so what was done here earns the same with imports and without.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from services.projection.days import Integers
from services.projection.influence.facts import DayFacts, grouped, order_of, starts_of, sums
from services.projection.influence.member_index import UNKNOWN, MemberIndex
from services.projection.policies import ACCEPTANCE_GIVEN, CAP_EXEMPT, KINDS, Policies

GIVEN = KINDS.index(ACCEPTANCE_GIVEN)
ACCEPTANCE = KINDS.index("acceptance")
_EXEMPT = np.array([kind in CAP_EXEMPT for kind in KINDS])


@dataclass(frozen=True, slots=True)
class Earned:
    """Facts with those of acceptances given among them, sorted by day, and the points that each earns after caps.

    `by_pair` is the order that sorts them by the places of receiver and sender: sorting what is nearly sorted, as many
    of these together are, is several times faster. No row earns or costs more points than `most`.
    """

    facts: DayFacts
    points: Integers
    by_pair: Integers
    most: int

    def __len__(self) -> int:
        return len(self.points)

    @property
    def responses(self) -> npt.NDArray[np.bool_]:
        """Which rows are responses, that is all but acceptances given."""
        mask: npt.NDArray[np.bool_] = self.facts.kind != GIVEN
        return mask

    def since(self, day: int) -> Earned:
        """What was earned on a day and later."""
        return self._cut(int(np.searchsorted(self.facts.day, day)), len(self))

    def until(self, day: int) -> Earned:
        """What was earned up to a day; days do not depend on each other."""
        return self._cut(0, int(np.searchsorted(self.facts.day, day, side="right")))

    def without(self, days: Integers) -> Earned:
        """What was earned on other days."""
        stay = ~np.isin(self.facts.day, days)
        number = np.cumsum(stay) - 1
        return Earned(self.facts[stay], self.points[stay], number[self.by_pair[stay[self.by_pair]]], self.most)

    def _cut(self, first: int, after: int) -> Earned:
        if (first, after) == (0, len(self)):
            return self
        rows, inside = slice(first, after), (self.by_pair >= first) & (self.by_pair < after)
        return Earned(self.facts[rows], self.points[rows], self.by_pair[inside] - first, self.most)


def earned(facts: DayFacts, member_index: MemberIndex, importers: MemberIndex, policies: Policies) -> Earned:
    """The points of each fact; `member_index` has the members, `importers` those who brought facts in."""
    facts = _with_acceptances_given(facts, member_index)
    policy = np.searchsorted(np.array(policies.starts, np.int64), facts.day, side="right")
    by_kind = np.array([[p.points[kind] for kind in KINDS] for p in policies.versions], np.int64)
    sender_cap = np.array([p.sender_cap for p in policies.versions], np.int64)[policy]
    receiver_cap = np.array([p.receiver_cap for p in policies.versions], np.int64)[policy]

    points = facts.count * by_kind[policy, facts.kind]
    known = (points > 0) & (facts.sender != UNKNOWN)
    of_pairs, of_receivers = _orders(facts, member_index, importers)
    points = _capped(points, known, sender_cap, of_pairs, facts.day, facts.receiver, facts.sender)
    capped = (points > 0) & ~_EXEMPT[facts.kind]
    points = _capped(points, capped, receiver_cap, of_receivers, facts.day, facts.receiver)
    by_pair = order_of(member_index.places[facts.receiver], member_index.places[facts.sender])
    # What one fact counts and earns, and how many there are in a block, fits into 32 bits.
    facts = replace(facts, count=facts.count.astype(np.int32))
    return Earned(facts, points.astype(np.int32), by_pair.astype(np.int32), int(np.abs(points).max(initial=0)))


def _with_acceptances_given(facts: DayFacts, member_index: MemberIndex) -> DayFacts:
    """The same with a row for each (day, member) of the acceptances they gave, in its place in the order."""
    given = facts[(facts.kind == ACCEPTANCE) & (facts.sender != UNKNOWN)]
    order, starts = grouped(given.day, given.sender, given.importer)
    first = order[starts]
    rows = len(first)
    together = DayFacts(
        day=np.concatenate([facts.day, given.day[first]]),
        receiver=np.concatenate([facts.receiver, given.sender[first]]),
        sender=np.concatenate([facts.sender, np.full(rows, UNKNOWN, np.int32)]),
        kind=np.concatenate([facts.kind, np.full(rows, GIVEN, np.int8)]),
        importer=np.concatenate([facts.importer, given.importer[first]]),
        count=np.concatenate([facts.count, sums(given.count[order], starts)]),
    )
    sender = member_index.places[together.sender]
    return together[order_of(together.day, together.receiver, sender, together.kind, together.importer)]


def _orders(
    facts: DayFacts, member_index: MemberIndex, importers: MemberIndex
) -> tuple[Integers | slice, Integers | slice]:
    """The orders in which the caps of a sender and a receiver, and of a receiver, are filled."""
    if not len(facts.importer) or facts.importer.min() == facts.importer.max():
        return slice(None), slice(None)  # as they are
    turn = np.append(importers.places[:-1] + np.int32(1), np.int32(0))[facts.importer]
    sender = member_index.places[facts.sender]
    return (
        order_of(facts.day, facts.receiver, sender, turn, facts.kind),
        order_of(facts.day, facts.receiver, turn, sender, facts.kind),
    )


def _capped(
    points: Integers, capped: npt.NDArray[np.bool_], cap: Integers, order: Integers | slice, *group: Integers
) -> Integers:
    """Points with those of `capped` rows held to `cap` in each group, earlier rows of the order first; by it rows come
    grouped.
    """
    if not len(points):
        return points
    held = np.empty_like(points)
    held[order] = _held(points[order], capped[order], cap[order], starts_of(*(column[order] for column in group)))
    return held


def _held(points: Integers, capped: npt.NDArray[np.bool_], cap: Integers, starts: Integers) -> Integers:
    counted = np.where(capped, points, 0)
    before = np.cumsum(counted) - counted
    sizes = np.diff(np.append(starts, len(points)))
    before_in_group = before - np.repeat(before[starts], sizes)
    return np.where(capped, np.clip(cap - before_in_group, 0, counted), points)
