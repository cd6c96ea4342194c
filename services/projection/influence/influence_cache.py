"""A community's facts of influence and the scores computed from them, kept by a process while they are true.

Every fold of a response moves the change counter of its day of UTC in the transaction that writes the fact. So facts
are read again only for days whose counter moved. What deletions take away may concern any day; it is read as a whole.
Withdrawing an import is rare: then all facts are read anew. The scores of a day are true as long as no counter up to
its end has moved, nothing else was taken away, and the same members took part in the day and were active in its window.

Computing them for a large community takes longer than a request should. There, those that are kept are answered while
the next are computed, with how far the views were when they were true; never beyond `MOST_BEHIND`, and never to a
caller who waits for a write. See docs/adr/0022.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import structlog
from pyroaring import AbstractBitMap
from sqlalchemy.ext.asyncio import AsyncEngine

from services.projection.activity.activity_cache import ActivityCache
from services.projection.change_counters import ChangeCounters, read_change_counters
from services.projection.days import Integers, first_slot, utc_day_of
from services.projection.influence.cached_scores import CachedScores, Influence, Inputs, as_it_was, older, scores_in
from services.projection.influence.earned_blocks import EarnedBlocks
from services.projection.influence.loading import (
    read_cancellations,
    read_ordinals,
    read_robots,
    read_rows,
    read_turns,
)
from services.projection.influence.member_index import Ids, MemberIndex
from services.projection.influence.participants import NO_PEOPLE, numbers_in, people
from services.projection.influence.points import Earned
from services.projection.influence.scoring import TREND, WINDOW, day_scores
from services.projection.policies import STANDARD, Policies
from services.projection.read_models.imports import CHANGES as IMPORT_CHANGES
from services.projection.snapshots import snapshot
from shared.projections.freshness import Freshness

LARGE = 250_000
"""Fact rows from which on a community's kept scores are answered while the next are computed."""

MOST_BEHIND = 30.0
"""Seconds that such an answer may be behind; after a longer silence the next one is waited for."""

_AT_ONCE = 100_000
"""Changes whose rows are read at once: a few tenths of a second, so that a busy database stays within the limits."""

_DAYS_KEPT = 64
_PAIRS_A_FACT = 1.0
"""Of how many days scores are kept, and how many pairs they may hold together for each fact, 20 bytes each.

The least recently used go first. So all memory of a cache is bounded by its facts.
"""

_logger = structlog.get_logger(__name__)

_CHANGES = "select day, n from response_change where community = $1 order by day"


class InfluenceCache:
    """The influence of one community's members, by the days of one time zone."""

    def __init__(self, days: ActivityCache, policies: Policies = STANDARD, large: int = LARGE) -> None:
        self._days = days
        self._policies = policies
        self._large = large
        self._turn = asyncio.Lock()
        self._changes: dict[int, int] = {}
        self._table = self._imports = 0
        self._read: ChangeCounters | None = None
        self._earned_blocks = EarnedBlocks(days.zone, policies)
        self._members: Ids = np.zeros(0, "S16")
        self._people = NO_PEOPLE
        self._cancelled = 0
        """How often what deletions take away has changed."""
        self._day_scores: OrderedDict[int, CachedScores] = OrderedDict()
        self._renewals: dict[int, asyncio.Task[None]] = {}
        self._rests_until = 0.0

    @property
    def rows(self) -> int:
        """Facts it holds, some 80 bytes each with the scores."""
        return self._earned_blocks.rows

    def renewing(self) -> bool:
        """Whether scores are being computed."""
        return bool(self._renewals)

    async def influence(
        self, engine: AsyncEngine, day: int, freshness: Freshness | None = None, *, wait: bool = True
    ) -> Influence:
        """Influence at the end of a day, from what is known now, unless the caller would not wait for it.

        `freshness` is how far the views were a moment ago; the answer's says how far they were for what it is from.
        """
        now = await read_change_counters(engine, self._days.community)
        if self._true(day, now):
            for each in (day, day - TREND):
                self._day_scores[each] = replace(self._day_scores[each], freshness=freshness, at=time.monotonic())
                self._day_scores.move_to_end(each)
        elif wait or not self._will_do(day):
            await self._renewed(engine, day, now, freshness)
        elif time.monotonic() >= self._rests_until:
            self._renewal(engine, day, freshness)
        return self._answer(day, now, freshness)

    def _true(self, day: int, now: ChangeCounters) -> bool:
        kept = [self._day_scores.get(each) for each in (day, day - TREND)]
        return all(each is not None and each.counters == now for each in kept)

    def _will_do(self, day: int) -> bool:
        """Whether what is kept of a day may be answered though it is no longer true."""
        kept = self._day_scores.get(day)
        if kept is None or day - TREND not in self._day_scores or self._earned_blocks.rows < self._large:
            return False
        return kept.freshness is not None and time.monotonic() - kept.at < MOST_BEHIND

    async def _renewed(self, engine: AsyncEngine, day: int, now: ChangeCounters, freshness: Freshness | None) -> None:
        """Wait for scores that are true since `now`, or since later: those begun before may be older."""
        while True:
            # It goes on when the request is given up, so that the next one finds it done.
            await asyncio.shield(self._renewal(engine, day, freshness))
            kept = [self._day_scores.get(each) for each in (day, day - TREND)]
            if all(each is not None and not older(each.counters, now) for each in kept):
                return

    def _renewal(self, engine: AsyncEngine, day: int, freshness: Freshness | None) -> asyncio.Task[None]:
        """The task that computes a day's scores anew, one at a time."""
        task = self._renewals.get(day)
        if task is None or task.done():
            task = asyncio.create_task(self._renew(engine, day, freshness), name=f"influence-of-{day}")
            task.add_done_callback(lambda done: self._ended(day, done))
            self._renewals[day] = task
        return task

    def _ended(self, day: int, task: asyncio.Task[None]) -> None:
        if self._renewals.get(day) is task:
            del self._renewals[day]
        if not task.cancelled() and (error := task.exception()) is not None:
            # Whoever waited for it has the error too; nobody may have.
            _logger.warning("influence not renewed", community=self._days.community, error=type(error).__name__)

    async def _renew(self, engine: AsyncEngine, day: int, freshness: Freshness | None) -> None:
        async with self._turn:
            began = time.monotonic()
            now = await read_change_counters(engine, self._days.community)
            if now != self._read:
                while not await self._refresh(engine, now):
                    pass
                self._read = now
            await self._compute(engine, (day - TREND, day), now, freshness, began)
            ended = time.monotonic()
            # Where facts arrive all the time, at most half of a core goes into the scores of one community.
            self._rests_until = ended + (ended - began)

    async def _refresh(self, engine: AsyncEngine, now: ChangeCounters) -> bool:
        """Read some of what has changed; True if that was all, so that everything is as of one snapshot."""
        if now.responses[0] != self._table:
            self._begin_anew()
            self._table = now.responses[0]
            # What a day of the past is asked with comes with its facts; on its own it would be read at that question.
            await self._days.members_of_all(engine)
        async with snapshot(engine) as db:
            if (imports := await db.fetchval(IMPORT_CHANGES, self._days.community)) != self._imports:
                self._begin_anew()
                self._imports = imports
            changes = {row["day"]: row["n"] for row in await db.fetch(_CHANGES, self._days.community)}
            stale = [day for day, n in changes.items() if self._changes.get(day) != n]
            reading = list(_up_to(_AT_ONCE, stale, changes))
            rows = await read_rows(db, self._days.community, reading) if reading else None
            whole = len(reading) == len(stale)
            cancelled = await read_cancellations(db, self._days.community) if whole else None
            if whole and (self._read is None or self._read.memberships != now.memberships):
                turns, robots = await read_turns(db, self._days.community), await read_robots(db, self._days.community)
                await asyncio.to_thread(self._earned_blocks.include, np.append(turns["member"], robots))
                self._people = people(turns, robots, self._earned_blocks.member_index)
        if rows is not None:
            await asyncio.to_thread(self._earned_blocks.replace, reading, rows)
            self._changes.update((day, changes[day]) for day in reading)
        if cancelled is not None:
            self._cancelled += await asyncio.to_thread(self._earned_blocks.cancel, cancelled)
        return whole

    def _begin_anew(self) -> None:
        """Forget all that was read."""
        self._earned_blocks, self._changes = EarnedBlocks(self._days.zone, self._policies), {}
        self._day_scores.clear()  # their numbers are of other facts
        self._people, self._read = NO_PEOPLE, None

    async def _compute(
        self, engine: AsyncEngine, wanted: Sequence[int], now: ChangeCounters, freshness: Freshness | None, at: float
    ) -> None:
        """Have the scores of these days, those that are still true as they are."""
        plans: list[tuple[int, Inputs]] = []
        for day in wanted:
            active = await self._days.members(engine, day - WINDOW + 1, day)
            after = first_slot(day + 1, self._days.zone)
            changes = (self._table, sum(n for utc, n in self._changes.items() if utc <= utc_day_of(after - 1)))
            basis = Inputs(changes, self._cancelled, active, await asyncio.to_thread(self._people.at, after))
            kept = self._day_scores.get(day)
            if kept is None or kept.basis != basis:
                plans.append((day, basis))
            else:
                self._day_scores[day] = replace(kept, counters=now, freshness=freshness, at=at)
        for _, basis in plans:
            await self._know(engine, basis.active)
        ready = await asyncio.to_thread(self._made_ready, plans)
        # Each in a thread of its own: nearly all of it is done without Python's lock.
        computing = [
            asyncio.to_thread(day_scores, *each, basis.participants, self._policies, day)
            for each, (day, basis) in zip(ready, plans, strict=True)
        ]
        for (day, basis), found in zip(plans, await asyncio.gather(*computing), strict=True):
            self._day_scores[day] = CachedScores(found, basis, now, freshness, at)
        for day in wanted:
            self._day_scores.move_to_end(day)
        # The newest day is what nearly everybody asks about: whatever was asked of the past lately, it stays.
        newest = max(self._day_scores)
        going = [each for each in self._day_scores if each not in (*wanted, newest, newest - TREND)]
        while going and self._hold_too_much():
            del self._day_scores[going.pop(0)]

    def _hold_too_much(self) -> bool:
        pairs = sum(len(kept.day_scores.pairs) for kept in self._day_scores.values())
        return len(self._day_scores) > _DAYS_KEPT or pairs > _PAIRS_A_FACT * self.rows

    def _made_ready(
        self, wanted: Sequence[tuple[int, Inputs]]
    ) -> list[tuple[list[Earned], MemberIndex, MemberIndex, Integers]]:
        """What was earned by the end of each day, and the places of those who were active."""
        earned_blocks = self._earned_blocks
        numbers = earned_blocks.numbers_of(self._members)
        ordinals = [numbers_in(basis.active) for _, basis in wanted]
        return [
            (
                earned_blocks.earned(day),
                earned_blocks.member_index,
                earned_blocks.importers,
                earned_blocks.member_index.places[numbers[those]],
            )
            for (day, _), those in zip(wanted, ordinals, strict=True)
        ]

    async def _know(self, engine: AsyncEngine, active: AbstractBitMap) -> None:
        """Know which members those ordinals stand for."""
        ordinals = numbers_in(active)
        if len(ordinals) and (ordinals[-1] >= len(self._members) or (self._members[ordinals] == b"").any()):
            async with snapshot(engine) as db:
                self._members = await read_ordinals(db, self._days.community)

    def _answer(self, day: int, now: ChangeCounters, freshness: Freshness | None) -> Influence:
        kept, before = self._day_scores[day], self._day_scores[day - TREND]
        if freshness is not None and kept.freshness is not None and older(kept.counters, now):
            freshness = as_it_was(kept.freshness, freshness, time.monotonic() - kept.at)
        return Influence(kept.day_scores, scores_in(before.day_scores, kept.day_scores.member_index), freshness)


def _up_to(limit: int, days: Iterable[int], changes: dict[int, int]) -> Iterable[int]:
    """Days until their changes exceed the limit, at least one."""
    for day in days:
        yield day
        limit -= changes[day]
        if limit <= 0:
            return
