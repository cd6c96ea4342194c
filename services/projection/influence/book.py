"""A community's facts as arrays and the standings computed from them, kept by a process while they are true.

Every fold of a response moves the change counter of its day of UTC in the transaction that writes the fact. So facts
are read again only for days whose counter moved, and a standing is true as long as no counter up to the end of its day
has moved and the same members were active in its window.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from pyroaring import AbstractBitMap
from sqlalchemy.ext.asyncio import AsyncEngine

from services.projection.activity.daybook import DayBook
from services.projection.days import first_slot, utc_day_of
from services.projection.influence.facts import NOTHING, Ids, SlotFacts, dated
from services.projection.influence.loading import read_ordinals, read_rows
from services.projection.influence.points import Earned, earned
from services.projection.influence.scoring import TREND, WINDOW, Standing, standing
from services.projection.policies import STANDARD, Policies
from services.projection.snapshots import snapshot

_AT_ONCE = 500_000
"""Changes whose rows are read in one transaction, which keeps it well below its time limit."""

_ROWS_KEPT = 20_000_000
"""Rows that all standings of a community hold together; the least recently used go first."""

END = 2**31 - 1
"""A day after all days."""

_CHANGES = "select day, n from response_change where community = $1 order by day"


@dataclass(frozen=True, slots=True)
class Kept:
    """A standing with what it was computed from; its member numbers are those of its own facts."""

    facts: SlotFacts
    standing: Standing
    changes: int
    active: AbstractBitMap


class History:
    """What was earned by the end of any day. It is computed once, and again only for days before a withdrawal."""

    def __init__(self, facts: SlotFacts, zone: ZoneInfo, policies: Policies) -> None:
        self._facts = dated(facts, zone)
        self._policies = policies
        self._in_the_end = earned(self._facts.as_of(END), policies)

    def earned(self, day: int) -> Earned:
        if self._facts.settled(day):
            return self._in_the_end.until(day)
        return earned(self._facts.as_of(day), self._policies)


@dataclass(frozen=True, slots=True)
class Influence:
    """Everybody's influence at the end of a day, and their scores at the end of the day the trend looks back to."""

    facts: SlotFacts
    standing: Standing
    scores_before: np.typing.NDArray[np.int64]

    def trend(self, member: int) -> int:
        """Thousandths by which the score has moved in 30 days."""
        return int(self.standing.score[member] - self.scores_before[member])


class InfluenceBook:
    """The influence of one community's members, by the days of one time zone."""

    def __init__(self, days: DayBook, policies: Policies = STANDARD) -> None:
        self.policies = policies
        self._days = days
        self._turn = asyncio.Lock()
        self._changes: dict[int, int] = {}
        self._facts = NOTHING
        self._history: History | None = None
        self._members: Ids = np.zeros(0, "S16")
        self._standings: OrderedDict[int, Kept] = OrderedDict()

    async def influence(self, engine: AsyncEngine, day: int) -> Influence:
        """Influence at the end of a day, from what is known now."""
        async with self._turn:
            while not await self._refresh(engine):
                pass
            now = await self._standing(engine, day)
            before = await self._standing(engine, day - TREND)
        return Influence(now.facts, now.standing, _scores(before, now.facts.members))

    async def _refresh(self, engine: AsyncEngine) -> bool:
        """Read some of what has changed; True if that was all, so that everything is as of one snapshot."""
        async with snapshot(engine) as db:
            changes = {row["day"]: row["n"] for row in await db.fetch(_CHANGES, self._days.community)}
            stale = [day for day, n in changes.items() if self._changes.get(day) != n]
            reading = list(_up_to(_AT_ONCE, stale, changes))
            rows = await read_rows(db, self._days.community, reading) if reading else None
        if rows is not None:
            self._facts = await asyncio.to_thread(self._facts.with_days, reading, rows)
            self._history = None
            self._changes.update((day, changes[day]) for day in reading)
        return len(reading) == len(stale)

    async def _standing(self, engine: AsyncEngine, day: int) -> Kept:
        active = await self._days.members(engine, day - WINDOW + 1, day)
        end = utc_day_of(first_slot(day + 1, self._days.zone) - 1)
        changes = sum(n for utc, n in self._changes.items() if utc <= end)
        kept = self._standings.get(day)
        if kept is None or (kept.changes, kept.active) != (changes, active):
            ids = await self._ids(engine, active)
            kept = await asyncio.to_thread(self._compute, day, changes, active, ids)
            self._standings[day] = kept
            while len(self._standings) > 2 and sum(len(k.standing.rows) for k in self._standings.values()) > _ROWS_KEPT:
                self._standings.popitem(last=False)
        self._standings.move_to_end(day)
        return kept

    def _compute(self, day: int, changes: int, active: AbstractBitMap, ids: Ids) -> Kept:
        facts = self._facts.with_members(ids)
        if self._history is None or facts is not self._facts:
            self._facts, self._history = facts, History(facts, self._days.zone, self.policies)
        found = standing(self._history.earned(day), facts.numbers_of(ids), self.policies, day)
        return Kept(facts, found, changes, active)

    async def _ids(self, engine: AsyncEngine, active: AbstractBitMap) -> Ids:
        """The members that those ordinals stand for."""
        ordinals = np.array(active.to_array(), np.int64)
        if len(ordinals) and (ordinals[-1] >= len(self._members) or (self._members[ordinals] == b"").any()):
            async with snapshot(engine) as db:
                self._members = await read_ordinals(db, self._days.community)
        return self._members[ordinals]


def _up_to(limit: int, days: Iterable[int], changes: dict[int, int]) -> Iterable[int]:
    """Days until their changes exceed the limit, at least one."""
    for day in days:
        yield day
        limit -= changes[day]
        if limit <= 0:
            return


def _scores(before: Kept, members: Ids) -> np.typing.NDArray[np.int64]:
    """Scores of an older standing by the numbers of these members; 0 for those it does not know."""
    if before.facts.members is members:
        return before.standing.score.astype(np.int64)
    scores = np.zeros(len(members), np.int64)
    known = np.isin(before.facts.members, members)
    scores[np.searchsorted(members, before.facts.members[known])] = before.standing.score[known]
    return scores
