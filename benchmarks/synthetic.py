"""A made-up community of any size as arrays: the same for the same numbers, and shaped as communities are.

Ten years up to the end of last month: a rise, a peak in the third year, a long fading. Few members do most (the
activity of a rank falls as a power of it), each is active for a while after joining, and a few others receive tens of
thousands of responses at full size. Every fact is an action and a response to somebody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt

from services.projection.days import SLOTS_A_DAY, number_of
from shared.events.identity import derived_id

YEARS = 10
KINDS = ("positive_reaction", "negative_reaction", "acceptance", "reply", "comment", "share")
ACTIONS = ("reaction", "reaction", "acceptance", "reply", "comment", "share")
"""The action that each kind of response is."""
SHARES = (0.40, 0.03, 0.04, 0.22, 0.28, 0.03)
UNKNOWN_SHARE = 0.05
"""Of all facts, those whose sender nobody knows: imported votes."""
WITHDRAWN_SHARE = 0.002

_HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 11, 12, 12, 11, 11, 11, 12, 13, 13, 11, 7, 4], float)

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Size:
    """How large what is measured is. Members and facts are those of all communities together."""

    members: int
    facts: int
    communities: int = 1


FULL = Size(100_000, 10_000_000)


def last_day() -> date:
    """The day the facts end with: the last of the month before, so that what was made lasts a month."""
    return datetime.now(UTC).date().replace(day=1) - timedelta(days=1)


class Life:
    """One community's. Rows are sorted by slot; a sender of `members` is unknown, and nobody responds to themselves."""

    def __init__(self, number: int, members: int, facts: int) -> None:
        self.slug = f"synthetic-{number}"
        self.community = derived_id("community", self.slug)
        self.members = members
        self.end = number_of(last_day())
        self.start = self.end - 365 * YEARS
        rng = np.random.default_rng((20261125, number, members, facts))
        self.uuids = [derived_id("member", f"{number}/{each}") for each in range(members)]
        self.ids = np.array([each.bytes for each in self.uuids], "S16")
        self.joined = np.sort(self._dates(rng, members, fading=2.0))
        who = rng.permutation(members)[_ranked(rng, members, facts)]
        to = rng.permutation(members)[_ranked(rng, members, facts)]
        to = np.where(to == who, (to + 1) % members, to)
        day = self._when(rng, who)
        slot = day * SLOTS_A_DAY + rng.choice(24, facts, p=_HOURS / _HOURS.sum()) * 4 + rng.integers(0, 4, facts)
        order = np.argsort(slot, kind="stable")
        self.slot: Integers = slot[order]
        self.receiver: Integers = to[order]
        self.sender: Integers = np.where(rng.random(facts) < UNKNOWN_SHARE, members, who)[order]
        self.kind: Integers = rng.choice(len(KINDS), facts, p=SHARES)
        withdrawn = np.flatnonzero((rng.random(facts) < WITHDRAWN_SHARE) & (self.kind < 2) & (self.sender < members))
        later = self.slot[withdrawn] + 1 + rng.exponential(3 * SLOTS_A_DAY, len(withdrawn)).astype(np.int64)
        self.withdrawn, self.withdrawn_slot = withdrawn, np.minimum(later, (self.end + 1) * SLOTS_A_DAY - 1)

    def _dates(self, rng: np.random.Generator, n: int, fading: float) -> Integers:
        """Days by the community's life: density t × exp(-fading × t), with something left to the end."""
        t = np.linspace(0, 1, self.end - self.start)
        density = t * np.exp(-fading * 3.3 * t) + 0.01
        return self.start + rng.choice(len(t), n, p=density / density.sum())

    def _when(self, rng: np.random.Generator, who: Integers) -> Integers:
        """Days after their members joined, within a while that is longer the more they do."""
        overall = self._dates(rng, len(who), fading=1.0)
        joined = self.joined[who]
        stayed = np.random.default_rng(7).exponential(500, self.members).astype(np.int64)[who] + 1
        in_while = joined + rng.integers(0, 2**31, len(who)) % stayed
        # Whoever was there already, or is still: most facts follow the community's life, some a member's own.
        days = np.where((overall >= joined) & (rng.random(len(who)) < 0.8), overall, in_while)
        return np.where(days > self.end, joined + (days - joined) % (self.end - joined + 1), days)

    @cached_property
    def most_influential(self) -> int:
        """The member who received the most responses in the last year."""
        recent = self.receiver[self.slot >= (self.end - 364) * SLOTS_A_DAY]
        return int(np.bincount(recent, minlength=self.members).argmax())


def lives(size: Size) -> list[tuple[int, int, int]]:
    """Number, members and facts of each community."""
    return [(n, size.members // size.communities, size.facts // size.communities) for n in range(size.communities)]


def _ranked(rng: np.random.Generator, members: int, facts: int) -> Integers:
    """Ranks by a power law: the first ten or so alike, then falling as the power 0.8."""
    weight = (np.arange(members) + 10.0) ** -0.8
    return np.searchsorted(np.cumsum(weight) / weight.sum(), rng.random(facts)).clip(0, members - 1)


def first_moment(day: int) -> datetime:
    """Noon of a day, in UTC."""
    return datetime(1970, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
