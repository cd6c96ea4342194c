"""A community's ledger and the standings computed from it, kept by a process while they are true.

Every fold of a response moves the change counter of its day of UTC in the transaction that writes the fact. So facts
are read again only for days whose counter moved. What deletions take away may concern any day; it is read as a whole.
A standing is true as long as no counter up to the end of its day has moved, nothing else was taken away, and the same
members took part in its day and were active in its window.

Making a standing of a large community takes longer than a request should. There, the one that is kept is answered
while the next is made, with how far the views were when it was true; never beyond `MOST_BEHIND`, and never to a caller
who waits for a write. See docs/adr/0022.
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

from services.projection.activity.daybook import DayBook
from services.projection.days import Integers, first_slot, utc_day_of
from services.projection.influence.kept import Basis, Influence, Kept, as_it_was, older, scores_in
from services.projection.influence.ledger import Ledger
from services.projection.influence.loading import (
    read_cancellations,
    read_ordinals,
    read_robots,
    read_rows,
    read_turns,
)
from services.projection.influence.people import NO_PEOPLE, numbers_in, people
from services.projection.influence.points import Earned
from services.projection.influence.roster import Ids, Roster
from services.projection.influence.scoring import TREND, WINDOW, standing
from services.projection.policies import STANDARD, Policies
from services.projection.snapshots import snapshot
from services.projection.tally import Tally, tally
from shared.views.freshness import Freshness

LARGE = 250_000
"""Fact rows from which on a community's kept standing is answered while the next is made."""

MOST_BEHIND = 30.0
"""Seconds that such an answer may be behind; after a longer silence the next one is waited for."""

_AT_ONCE = 100_000
"""Changes whose rows are read at once: a few tenths of a second, so that a busy database stays within the limits."""

_STANDINGS = 64
_PAIRS_A_FACT = 1.0
"""How many standings are kept, and how many pairs they may hold together for each fact, 20 bytes each.

The least recently used go first. So all memory of a book is bounded by its facts.
"""

_logger = structlog.get_logger(__name__)

_CHANGES = "select day, n from response_change where community = $1 order by day"


class InfluenceBook:
    """The influence of one community's members, by the days of one time zone."""

    def __init__(self, days: DayBook, policies: Policies = STANDARD, large: int = LARGE) -> None:
        self._days = days
        self._policies = policies
        self._large = large
        self._turn = asyncio.Lock()
        self._changes: dict[int, int] = {}
        self._table = 0
        self._read: Tally | None = None
        self._ledger = Ledger(days.zone, policies)
        self._members: Ids = np.zeros(0, "S16")
        self._people = NO_PEOPLE
        self._cancelled = 0
        """How often what deletions take away has changed."""
        self._standings: OrderedDict[int, Kept] = OrderedDict()
        self._renewals: dict[int, asyncio.Task[None]] = {}
        self._rests_until = 0.0

    @property
    def rows(self) -> int:
        """Facts it holds, some 80 bytes each with the standings."""
        return self._ledger.rows

    def renewing(self) -> bool:
        """Whether standings are being made."""
        return bool(self._renewals)

    async def influence(
        self, engine: AsyncEngine, day: int, freshness: Freshness | None = None, *, patient: bool = True
    ) -> Influence:
        """Influence at the end of a day, from what is known now, unless the caller is not patient.

        `freshness` is how far the views were a moment ago; the answer's says how far they were for what it is from.
        """
        now = await tally(engine, self._days.community)
        if self._true(day, now):
            for each in (day, day - TREND):
                self._standings[each] = replace(self._standings[each], freshness=freshness, at=time.monotonic())
                self._standings.move_to_end(each)
        elif patient or not self._will_do(day):
            await self._renewed(engine, day, now, freshness)
        elif time.monotonic() >= self._rests_until:
            self._renewal(engine, day, freshness)
        return self._answer(day, now, freshness)

    def _true(self, day: int, now: Tally) -> bool:
        kept = [self._standings.get(each) for each in (day, day - TREND)]
        return all(each is not None and each.tally == now for each in kept)

    def _will_do(self, day: int) -> bool:
        """Whether what is kept of a day may be answered though it is no longer true."""
        kept = self._standings.get(day)
        if kept is None or day - TREND not in self._standings or self._ledger.rows < self._large:
            return False
        return kept.freshness is not None and time.monotonic() - kept.at < MOST_BEHIND

    async def _renewed(self, engine: AsyncEngine, day: int, now: Tally, freshness: Freshness | None) -> None:
        """Wait for standings that are true since `now`, or since later: one that was begun before may be older."""
        while True:
            # It goes on when the request is given up, so that the next one finds it done.
            await asyncio.shield(self._renewal(engine, day, freshness))
            kept = [self._standings.get(each) for each in (day, day - TREND)]
            if all(each is not None and not older(each.tally, now) for each in kept):
                return

    def _renewal(self, engine: AsyncEngine, day: int, freshness: Freshness | None) -> asyncio.Task[None]:
        """The task that makes a day's standings anew, one at a time."""
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
            now = await tally(engine, self._days.community)
            if now != self._read:
                while not await self._refresh(engine, now):
                    pass
                self._read = now
            await self._stand(engine, (day - TREND, day), now, freshness, began)
            ended = time.monotonic()
            # Where facts arrive all the time, at most half of a core goes into standings of one community.
            self._rests_until = ended + (ended - began)

    async def _refresh(self, engine: AsyncEngine, now: Tally) -> bool:
        """Read some of what has changed; True if that was all, so that everything is as of one snapshot."""
        if now.responses[0] != self._table:
            self._ledger, self._changes, self._table = Ledger(self._days.zone, self._policies), {}, now.responses[0]
            self._standings.clear()  # their numbers are of another ledger
            self._people, self._read = NO_PEOPLE, None
            # What a day of the past is asked with comes with its facts; on its own it would be read at that question.
            await self._days.members_of_all(engine)
        async with snapshot(engine) as db:
            changes = {row["day"]: row["n"] for row in await db.fetch(_CHANGES, self._days.community)}
            stale = [day for day, n in changes.items() if self._changes.get(day) != n]
            reading = list(_up_to(_AT_ONCE, stale, changes))
            rows = await read_rows(db, self._days.community, reading) if reading else None
            whole = len(reading) == len(stale)
            cancelled = await read_cancellations(db, self._days.community) if whole else None
            if whole and (self._read is None or self._read.memberships != now.memberships):
                turns, robots = await read_turns(db, self._days.community), await read_robots(db, self._days.community)
                await asyncio.to_thread(self._ledger.include, np.append(turns["member"], robots))
                self._people = people(turns, robots, self._ledger.roster)
        if rows is not None:
            await asyncio.to_thread(self._ledger.replace, reading, rows)
            self._changes.update((day, changes[day]) for day in reading)
        if cancelled is not None:
            self._cancelled += await asyncio.to_thread(self._ledger.cancel, cancelled)
        return whole

    async def _stand(
        self, engine: AsyncEngine, wanted: Sequence[int], now: Tally, freshness: Freshness | None, at: float
    ) -> None:
        """Have the standings of these days, those that are still true as they are."""
        plans: list[tuple[int, Basis]] = []
        for day in wanted:
            active = await self._days.members(engine, day - WINDOW + 1, day)
            after = first_slot(day + 1, self._days.zone)
            changes = (self._table, sum(n for utc, n in self._changes.items() if utc <= utc_day_of(after - 1)))
            basis = Basis(changes, self._cancelled, active, await asyncio.to_thread(self._people.at, after))
            kept = self._standings.get(day)
            if kept is None or kept.basis != basis:
                plans.append((day, basis))
            else:
                self._standings[day] = replace(kept, tally=now, freshness=freshness, at=at)
        for _, basis in plans:
            await self._know(engine, basis.active)
        ready = await asyncio.to_thread(self._made_ready, plans)
        # Each in a thread of its own: nearly all of it is done without Python's lock.
        computing = [
            asyncio.to_thread(standing, *each, basis.participants, self._policies, day)
            for each, (day, basis) in zip(ready, plans, strict=True)
        ]
        for (day, basis), found in zip(plans, await asyncio.gather(*computing), strict=True):
            self._standings[day] = Kept(found, basis, now, freshness, at)
        for day in wanted:
            self._standings.move_to_end(day)
        # The newest day is what nearly everybody asks about: whatever was asked of the past lately, it stays.
        newest = max(self._standings)
        going = [each for each in self._standings if each not in (*wanted, newest, newest - TREND)]
        while going and self._hold_too_much():
            del self._standings[going.pop(0)]

    def _hold_too_much(self) -> bool:
        pairs = sum(len(kept.standing.pairs) for kept in self._standings.values())
        return len(self._standings) > _STANDINGS or pairs > _PAIRS_A_FACT * self.rows

    def _made_ready(self, wanted: Sequence[tuple[int, Basis]]) -> list[tuple[list[Earned], Roster, Integers]]:
        """What was earned by the end of each day, and the places of those who were active."""
        ledger = self._ledger
        numbers = ledger.numbers_of(self._members)
        ordinals = [numbers_in(basis.active) for _, basis in wanted]
        return [
            (ledger.earned(day), ledger.roster, ledger.roster.places[numbers[those]])
            for (day, _), those in zip(wanted, ordinals, strict=True)
        ]

    async def _know(self, engine: AsyncEngine, active: AbstractBitMap) -> None:
        """Know which members those ordinals stand for."""
        ordinals = numbers_in(active)
        if len(ordinals) and (ordinals[-1] >= len(self._members) or (self._members[ordinals] == b"").any()):
            async with snapshot(engine) as db:
                self._members = await read_ordinals(db, self._days.community)

    def _answer(self, day: int, now: Tally, freshness: Freshness | None) -> Influence:
        kept, before = self._standings[day], self._standings[day - TREND]
        if freshness is not None and kept.freshness is not None and older(kept.tally, now):
            freshness = as_it_was(kept.freshness, freshness, time.monotonic() - kept.at)
        return Influence(kept.standing, scores_in(before.standing, kept.standing.roster), freshness)


def _up_to(limit: int, days: Iterable[int], changes: dict[int, int]) -> Iterable[int]:
    """Days until their changes exceed the limit, at least one."""
    for day in days:
        yield day
        limit -= changes[day]
        if limit <= 0:
            return
