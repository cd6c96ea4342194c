"""A standing that is kept: what it hangs on, how old it is, and what is answered from it."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
from pyroaring import AbstractBitMap

from services.projection.influence.people import Participants
from services.projection.influence.roster import Roster
from services.projection.influence.scoring import Standing
from services.projection.tally import Tally
from shared.views.freshness import Freshness


@dataclass(frozen=True, slots=True)
class Basis:
    """What a standing hangs on: the counters of its facts, how often cancellations changed, and who there was."""

    changes: tuple[int, int]
    cancelled: int
    active: AbstractBitMap
    participants: Participants


@dataclass(frozen=True, slots=True)
class Kept:
    """A standing with what it was computed from, and when it was last known to be true."""

    standing: Standing
    basis: Basis
    tally: Tally
    freshness: Freshness | None
    at: float


@dataclass(frozen=True, slots=True)
class Influence:
    """Everybody's influence at the end of a day, and their scores at the end of the day the trend looks back to."""

    standing: Standing
    scores_before: npt.NDArray[np.int64]
    freshness: Freshness | None
    """How far the views were that this is from, where the caller said how far they are."""

    @property
    def roster(self) -> Roster:
        return self.standing.roster

    def trend(self, member: int) -> int:
        """Thousandths by which the score has moved in 30 days."""
        return int(self.standing.score[member] - self.scores_before[member])


def older(one: Tally, other: Tally) -> bool:
    """Whether a tally may be of before another: a table made anew begins to count anew."""
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
        lag_events=None if now.lag_events is None else now.lag_events + missing,
        lag_seconds=round(max(now.lag_seconds, seconds), 3),
    ).sealed_by(now.seal)


def scores_in(before: Standing, roster: Roster) -> npt.NDArray[np.int64]:
    """Scores of an earlier day by the places of this roster; 0 for those it does not know."""
    if before.roster is roster:
        return before.score.astype(np.int64)
    # Numbers are the same in both, and those given since come after all others. Either may be the younger: what comes
    # late may concern the earlier day alone.
    by_number = np.zeros(max(len(roster), len(before.roster)), np.int64)
    by_number[before.roster.numbers] = before.score
    return by_number[roster.numbers]
