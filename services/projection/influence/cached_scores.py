"""The scores of a day that are kept: what they hang on, how old they are, and what is answered from them."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
from pyroaring import AbstractBitMap

from services.projection.change_counters import ChangeCounters
from services.projection.influence.member_index import MemberIndex
from services.projection.influence.participants import Participants
from services.projection.influence.scoring import DayScores
from shared.projections.freshness import Freshness


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a day's scores hang on: the counters of its facts, how often cancellations changed, and who there was."""

    changes: tuple[int, int]
    cancelled: int
    active: AbstractBitMap
    participants: Participants


@dataclass(frozen=True, slots=True)
class CachedScores:
    """The scores of a day with what they were computed from, and when they were last known to be true."""

    day_scores: DayScores
    basis: Inputs
    counters: ChangeCounters
    freshness: Freshness | None
    at: float


@dataclass(frozen=True, slots=True)
class Influence:
    """Everybody's influence at the end of a day, and their scores at the end of the day the trend looks back to."""

    day_scores: DayScores
    scores_before: npt.NDArray[np.int64]
    freshness: Freshness | None
    """How far the views were that this is from, where the caller said how far they are."""

    @property
    def member_index(self) -> MemberIndex:
        return self.day_scores.member_index

    def trend(self, member: int) -> int:
        """Thousandths by which the score has moved in 30 days."""
        return int(self.day_scores.score[member] - self.scores_before[member])


def older(one: ChangeCounters, other: ChangeCounters) -> bool:
    """Whether counters may be of before others: a table made anew begins to count anew."""
    pairs = zip(astuple(one), astuple(other), strict=True)
    return any(mine[0] != theirs[0] or mine[1] < theirs[1] for mine, theirs in pairs)


def as_it_was(then: Freshness, now: Freshness, seconds: float) -> Freshness:
    """How far what was true so many seconds ago is behind now."""
    missing = sum(
        max(at - before, 0)
        for source, positions in now.positions.items()
        for at, before in zip(positions, then.positions.get(source, positions), strict=True)
    )
    return Freshness(
        positions=then.positions,
        complete_until=then.complete_until,
        lag_events=None if now.lag_events is None else now.lag_events + missing,
        lag_seconds=round(max(now.lag_seconds, seconds), 3),
    ).sealed_by(now.seal)


def scores_in(before: DayScores, member_index: MemberIndex) -> npt.NDArray[np.int64]:
    """Scores of an earlier day by the places of this index; 0 for those it does not know."""
    if before.member_index is member_index:
        return before.score.astype(np.int64)
    # Numbers are the same in both, and those given since come after all others. Either may be the younger: what comes
    # late may concern the earlier day alone.
    by_number = np.zeros(max(len(member_index), len(before.member_index)), np.int64)
    by_number[before.member_index.numbers] = before.score
    return by_number[member_index.numbers]
