"""A community's days as they were last read, kept by a process; what has changed since is read again, nothing else.

Every fold of an action moves the change counter of its day of UTC in the transaction that writes the facts. So a day
is up to date as long as the counters of the days of UTC that it overlaps are what they were when it was read; and all
days that were looked at are, as long as the sum of all counters is, and that of memberships, which robots move. What
robots did was done; they are not among the members who were active.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import numpy as np
from pyroaring import AbstractBitMap, BitMap, FrozenBitMap
from sqlalchemy.ext.asyncio import AsyncEngine

from services.projection.activity.arithmetic import MONTH, Active, Calendar, Day, active_on
from services.projection.change_counters import read_change_counters
from services.projection.days import SLOTS_A_DAY, days_of, first_slot, utc_day_of
from services.projection.read_models.imports import CHANGES as IMPORT_CHANGES
from services.projection.read_models.imports import counted
from services.projection.snapshots import snapshot
from shared.db import Driver
from shared.projections.read_model_table import NEVER

_AT_ONCE = 200
"""Days that are read in one transaction, which keeps it well below its time limit."""

_CHANGES = "select day, n from action_change where community = $1 order by day"
_ENDS = "select min(day) as first, max(day) as last from action_change where community = $1"
_NEWCOMERS = f"""
    select slot, count(distinct member) as n from first_action as first
    where community = $1 and slot >= $3 and version > $2 and not gone and member <> all ($4::uuid[])
        and {counted("first")}
        and not exists (
            select from first_action as earlier
            where earlier.community = $1 and earlier.member = first.member and earlier.slot < first.slot
                and earlier.version > $2 and not earlier.gone and {counted("earlier")}
        )
    group by slot
"""  # noqa: S608 - our own condition
_ROBOTS = """
    select member, ordinal from robot join member_ordinal using (community, member)
    where community = $1 and marked and version > $2 and not gone
"""
ACTIONS = f"""
    select span.day, found.kind, sum(found.n)::bigint as n
    from unnest($2::int[], $3::int[], $4::int[]) as span (day, first, after)
    cross join lateral (
        select kind, n, importer, brought from action_count
        where community = $1 and slot >= span.first and slot < span.after
        union all
        select kind, -n, importer, brought from action_repeat
        where community = $1 and slot >= span.first and slot < span.after
            and former_slot >= span.first and former_slot < span.after
        offset 0
    ) as found
    where {counted("found")}
    group by span.day, found.kind
"""  # noqa: S608 - our own condition
MEMBERS = f"""
    select span.day, found.members
    from unnest($2::int[], $3::int[], $4::int[]) as span (day, first, after)
    cross join lateral (
        select members, importer, brought from active_members
        where community = $1 and slot >= span.first and slot < span.after offset 0
    ) as found
    where {counted("found")}
"""  # noqa: S608 - our own condition

Counts = tuple[int, ...]
Robots = tuple[frozenset[UUID], FrozenBitMap]
"""The robots that ever acted, as ids and as ordinals."""


class ActivityCache:
    """The days of one community in one time zone."""

    def __init__(self, community: UUID, zone: ZoneInfo) -> None:
        self.community = community
        self.zone = zone
        self._turn = asyncio.Lock()
        self._days: dict[int, tuple[Counts, Day]] = {}
        self._active: dict[int, Active] = {}
        self._newcomers: dict[int, int] = {}
        self._counted: dict[int, int] = {}
        self._robots: Robots = (frozenset(), FrozenBitMap())
        self._imports = 0
        self._tally: tuple[tuple[int, int], ...] = ((0, 0), (0, 0), (0, 0))
        self._checked: set[int] = set()

    async def calendar(self, engine: AsyncEngine, first: int, last: int) -> Calendar:
        """The days from 29 before `first` to `last`, and the active members of each day from `first` to `last`."""
        async with self._turn:
            days = await self._up_to_date(engine, first - MONTH + 1, last)
            active = {day: self._active[day] for day in range(first, last + 1) if day in self._active}
            # A thread goes on when its request has been given up, and knows nothing of what was read since then: it
            # answers, and what it found is kept here, where the turn is still ours.
            found = await asyncio.to_thread(_active, days, [d for d in range(first, last + 1) if d not in active])
            self._active.update((day, each) for day, each in found.items() if each.month)
            return Calendar(days, self._newcomers, active | found)

    async def members(self, engine: AsyncEngine, first: int, last: int) -> AbstractBitMap:
        """The ordinals of the members with an action from `first` to `last`."""
        async with self._turn:
            days = await self._up_to_date(engine, first, last)
            return await asyncio.to_thread(lambda: BitMap.union(BitMap(), *(day.members for day in days.values())))

    async def members_of_all(self, engine: AsyncEngine) -> None:
        """Have all days in memory, some at a time, so that who asks for others meanwhile need not wait for all."""
        async with snapshot(engine) as db:
            ends = await db.fetchrow(_ENDS, self.community)
        if ends is not None and ends["first"] is not None:
            # A day of a community begins or ends up to a day away from the day of UTC of the same date.
            for first in range(ends["first"] - 1, ends["last"] + 2, _AT_ONCE):
                await self.members(engine, first, first + _AT_ONCE - 1)

    async def _up_to_date(self, engine: AsyncEngine, first: int, last: int) -> dict[int, Day]:
        found = await read_change_counters(engine, self.community)
        now = (found.actions, found.memberships, found.imports)
        if now[0][0] != self._tally[0][0]:  # the view was rebuilt: its counters began anew
            self._forget()
        if now != self._tally:
            self._tally, self._checked = now, set()
        if not self._checked.issuperset(range(first, last + 1)):
            while not await self._refresh(engine, first, last):
                pass
            self._checked.update(range(first, last + 1))
        return {day: self._days[day][1] for day in range(first, last + 1) if day in self._days}

    async def _refresh(self, engine: AsyncEngine, first: int, last: int) -> bool:
        """Read some of what has changed; True if that was all, so that everything is as of one snapshot."""
        async with snapshot(engine) as db:
            robots, imports = await self._read_robots(db), await db.fetchval(IMPORT_CHANGES, self.community)
            if (robots, imports) != (self._robots, self._imports):  # these are rare; then all days are read anew
                self._forget()
                self._robots, self._imports = robots, imports
            changes: dict[int, int] = {row["day"]: row["n"] for row in await db.fetch(_CHANGES, self.community)}
            now = {day: self._counts(day, changes) for day in _near(changes, range(first, last + 1))}
            # A day without any change is quiet; it is not read, and not kept.
            stale = [day for day, counts in now.items() if any(counts) and self._counts_read(day) != counts]
            reading = stale[:_AT_ONCE]
            actions, members = await self._read(db, reading) if reading else ([], [])
            await self._read_newcomers(db, changes)
        found = await asyncio.to_thread(_days, reading, actions, members, robots[1])
        for day, read in found.items():
            self._days[day] = (now[day], read)
            for following in range(day, day + MONTH):
                self._active.pop(following, None)
        return len(reading) == len(stale)

    def _forget(self) -> None:
        self._days, self._active, self._newcomers, self._counted, self._checked = {}, {}, {}, {}, set()

    async def _read_robots(self, db: Driver) -> Robots:
        found = await db.fetch(_ROBOTS, self.community, NEVER)
        return frozenset(row["member"] for row in found), FrozenBitMap([row["ordinal"] for row in found])

    def _counts_read(self, day: int) -> Counts | None:
        return self._days[day][0] if day in self._days else None

    def _counts(self, day: int, changes: dict[int, int]) -> Counts:
        first, after = first_slot(day, self.zone), first_slot(day + 1, self.zone)
        return tuple(changes.get(utc, 0) for utc in range(utc_day_of(first), utc_day_of(max(first, after - 1)) + 1))

    async def _read(self, db: Driver, days: Sequence[int]) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
        first = [first_slot(day, self.zone) for day in days]
        after = [first_slot(day + 1, self.zone) for day in days]
        return (
            await db.fetch(ACTIONS, self.community, days, first, after),
            await db.fetch(MEMBERS, self.community, days, first, after),
        )

    async def _read_newcomers(self, db: Driver, changes: dict[int, int]) -> None:
        """An action may make its day a member's first, and a later day no longer that: so from its day on all anew."""
        changed = [utc for utc, n in changes.items() if self._counted.get(utc) != n]
        if not changed:
            return
        first = int(days_of(np.array([min(changed) * SLOTS_A_DAY]), self.zone)[0])
        robots, _ = self._robots
        found = await db.fetch(_NEWCOMERS, self.community, NEVER, first_slot(first, self.zone), list(robots))
        newcomers = Counter({day: n for day, n in self._newcomers.items() if day < first})
        days = days_of(np.array([row["slot"] for row in found], np.int64), self.zone)
        for day, row in zip(days.tolist(), found, strict=True):
            newcomers[day] += row["n"]
        # Made anew, since whoever asked before may still read what there was.
        self._newcomers, self._counted = dict(newcomers), changes


def _near(changes: Iterable[int], asked: range) -> Iterable[int]:
    """Those of the days asked about that may overlap a day of UTC with changes; all others are quiet."""
    return sorted({day for utc in changes for day in (utc - 1, utc, utc + 1) if day in asked})


def _active(days: Mapping[int, Day], asked: Iterable[int]) -> dict[int, Active]:
    return {day: active_on(day, days) for day in asked}


def _days(
    asked: Sequence[int], actions: Sequence[asyncpg.Record], members: Sequence[asyncpg.Record], robots: AbstractBitMap
) -> dict[int, Day]:
    kinds: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for row in actions:
        kinds[row["day"]][row["kind"]] = row["n"]
    sets: defaultdict[int, list[BitMap]] = defaultdict(list)
    for row in members:
        sets[row["day"]].append(BitMap.deserialize(row["members"]))
    return {day: Day(kinds[day], BitMap.union(BitMap(), *sets[day]) - robots) for day in asked}
