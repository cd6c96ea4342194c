"""What each fact earns: points by kind under the policy of its own day, less what exceeds the day's caps.

Caps hold positive points back, those of acceptances excepted: first at most `sender_cap` a day from one known sender
to one receiver, in the order of kinds; of what is left, at most `receiver_cap` a day to one receiver, in the order of
senders and kinds, the unknown sender last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.projection.days import Integers
from services.projection.influence.facts import DayFacts, grouped, order_of, starts_of, sums
from services.projection.policies import ACCEPTANCE_GIVEN, CAP_EXEMPT, KINDS, Policies

GIVEN = KINDS.index(ACCEPTANCE_GIVEN)
ACCEPTANCE = KINDS.index("acceptance")
_EXEMPT = np.array([kind in CAP_EXEMPT for kind in KINDS])


@dataclass(frozen=True, slots=True)
class Earned:
    """Facts with those of acceptances given among them, and the points that each earns after caps."""

    facts: DayFacts
    points: Integers

    @property
    def responses(self) -> np.typing.NDArray[np.bool_]:
        """Which rows are responses, that is all but acceptances given."""
        mask: np.typing.NDArray[np.bool_] = self.facts.kind != GIVEN
        return mask

    def until(self, day: int) -> Earned:
        """What was earned up to a day; days do not depend on each other."""
        rows = slice(0, int(np.searchsorted(self.facts.day, day, side="right")))
        return Earned(self.facts[rows], self.points[rows])


def earned(facts: DayFacts, policies: Policies) -> Earned:
    """The points of each fact."""
    facts = _with_acceptances_given(facts)
    policy = np.searchsorted(np.array(policies.starts, np.int64), facts.day, side="right")
    by_kind = np.array([[p.points[kind] for kind in KINDS] for p in policies.versions], np.int64)
    sender_cap = np.array([p.sender_cap for p in policies.versions], np.int64)[policy]
    receiver_cap = np.array([p.receiver_cap for p in policies.versions], np.int64)[policy]

    points = facts.count * by_kind[policy, facts.kind]
    capped = (points > 0) & ~_EXEMPT[facts.kind]
    known = capped & (facts.sender != facts.members)
    points = _capped(points, known, sender_cap, facts.day, facts.receiver, facts.sender)
    points = _capped(points, capped, receiver_cap, facts.day, facts.receiver)
    return Earned(facts, points)


def _with_acceptances_given(facts: DayFacts) -> DayFacts:
    """The same with a row for each (day, member) of the acceptances they gave, in its place in the order."""
    given = facts[(facts.kind == ACCEPTANCE) & (facts.sender != facts.members)]
    order, starts = grouped(given.day, given.sender)
    first = order[starts]
    rows = len(first)
    together = DayFacts(
        facts.members,
        day=np.concatenate([facts.day, given.day[first]]),
        receiver=np.concatenate([facts.receiver, given.sender[first]]),
        sender=np.concatenate([facts.sender, np.full(rows, facts.members)]),
        kind=np.concatenate([facts.kind, np.full(rows, GIVEN)]),
        count=np.concatenate([facts.count, sums(given.count[order], starts)]),
    )
    return together[order_of(together.day, together.receiver, together.sender, together.kind)]


def _capped(points: Integers, capped: np.typing.NDArray[np.bool_], cap: Integers, *group: Integers) -> Integers:
    """Points with those of `capped` rows held to `cap` in each group, earlier rows first; rows come grouped."""
    if not len(points):
        return points
    starts = starts_of(*group)
    counted = np.where(capped, points, 0)
    before = np.cumsum(counted) - counted
    sizes = np.diff(np.append(starts, len(points)))
    before_in_group = before - np.repeat(before[starts], sizes)
    return np.where(capped, np.clip(cap - before_in_group, 0, counted), points)
