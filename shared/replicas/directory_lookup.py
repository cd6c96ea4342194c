"""A look-up in the directory: from memory while it permits, else from the table, waiting while that is behind.

Who is refused is refused by what was so when they asked; where the directory cannot know that, nobody can: 503.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import driver, ends_with_database
from shared.events.errors import Unavailable
from shared.events.identity import Caller, derived_id
from shared.projections.completeness import NEVER, age_sql, complete_at
from shared.projections.movement import Movement
from shared.projections.waiters import Waiters
from shared.replicas.directory import SOURCE, VIEW
from shared.replicas.lookup import look_until_known, look_up_waiters, waiting
from shared.replicas.standing import NOBODY, Community, Standing

BELIEVED = 2.0
"""Seconds for which a look-up that permits is believed."""
CLOCK_BOUND = 0.1
"""Seconds by which the clocks of two databases may differ."""
AGE = 600.0
"""Seconds by which a directory may be behind and still permit something. How far one is behind that was never caught up
with nobody can tell; it is given so long from the start of the process."""
REMEMBERED = 50_000
"""Look-ups kept in memory."""

SHORTEST_LOOK, LONGEST_LOOK = 0.005, 0.1
"""Seconds between two looks at the table while it is behind."""

Entry: TypeAlias = tuple[Community, Standing]
Found: TypeAlias = tuple[Entry | None, float]

QUERY = """
select c.slug, c.visibility, c.admission, c.time_zone, c.archived, m.status, r.roles, t.times, t.joined, w.age,
       exists (select from parked where view = '{view}' and stream = any($4::uuid[])) as held
from ({age}) w
left join (select * from directory_community where community = $1 and version > -9223372036854775808 and not gone) c
       on true
left join directory_member m on m.community = $1 and m.member = $2 and not m.gone
left join lateral (select array_agg(role) as roles from directory_role
                   where community = $1 and member = $2 and granted) r on true
left join lateral (select array_agg(began order by began, turn) as times,
                          array_agg(joined order by began, turn) as joined
                   from (select turn, joined, case when joined then least(at, min(at) filter (where not joined) over (
                           order by turn rows between current row and unbounded following)) else at end as began
                         from directory_turn where community = $1 and member = $2) turns) t on true
"""
"""A leaving is of the moment it was decided in, so it ends every joining before it, whatever time that was given."""


class Directory:
    """Looks up communities and standings in the service's own database.

    `own` says that it is the member service's. `clock_bound` is by how many seconds the clock of the member service's
    database may be ahead of this one's, `wait` how long is waited for what is on its way. `movement` tells when views
    of this process move or heads come. `waiters` are all who wait for look-ups in this process.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        partitions: int,
        wait: float,
        own: bool = False,
        clock_bound: float = CLOCK_BOUND,
        movement: Movement | None = None,
        age: float = AGE,
        waiters: Waiters | None = None,
    ) -> None:
        self._engine = engine
        self._age = age
        self._partitions = partitions
        self._wait = wait
        self._query_sql = QUERY.format(view=VIEW, age=age_sql(VIEW, SOURCE, "$3", own=own))
        self.clock_bound = 0.0 if own else clock_bound
        self._began = time.monotonic()
        self._movement = movement or Movement()
        self._waiters = waiters or look_up_waiters()
        self._permitted: OrderedDict[tuple[UUID, UUID], tuple[float, Entry]] = OrderedDict()
        self._under_way: dict[tuple[UUID, UUID], asyncio.Task[Found]] = {}
        ends_with_database(engine, self.forget)

    def forget(self) -> None:
        """The database may not be the one that permitted."""
        self._permitted.clear()

    async def look_up(
        self,
        community: UUID,
        member: UUID,
        enough: Callable[[Community, Standing], bool],
        *,
        caller: Caller | None,
        arrived: float | None = None,
        anew: bool = False,
    ) -> Entry | None:
        """The community and what the member is there; None where there is no such community.

        What is not `enough` is looked up anew until it is, or until the directory is complete up to `arrived`
        (monotonic time; default now); `caller` is who waits meanwhile, None for a line of a backfill. `anew` believes
        nothing that was read before. Raises `Unavailable` where it is not in time, or where what permits is older than
        the most that is believed; and what `Waiters` raises.
        """
        now = time.monotonic()
        key = (community, member)
        known = self._permitted.get(key)
        if not anew and known is not None and known[0] > now and enough(*known[1]):
            return known[1]
        complete = NEVER

        async def look() -> Found:
            nonlocal complete
            entry, complete = await (self._query(*key) if anew else self._read(key))
            return entry, complete

        def believed() -> float:
            """Seconds for which what was found may still be believed."""
            return (self._began if complete == NEVER else complete) + self._age - time.monotonic()

        entry, known_by_now = await look_until_known(
            look,
            # A system that stood still is about to hear of what it missed: what permits is looked up until it is young.
            lambda found: found is not None and enough(*found) and believed() > 0,
            self._pause,
            due=(now if arrived is None else arrived) + self.clock_bound,
            patience=self._wait,
            waiting=waiting(self._waiters, caller),
        )
        if entry is not None and enough(*entry):
            if (left := believed()) <= 0:
                raise Unavailable("Who may do what has not been heard of for too long here.", retry_after=2)
            self._remember(key, entry, min(BELIEVED, left))
        elif not known_by_now:
            raise Unavailable("Who may do what at this moment is not known here yet. Try again.", retry_after=1)
        return entry

    async def _pause(self, looks: int) -> None:
        """Until a view of this process has moved or caught up, or some time has passed; ever longer, so that to refuse
        somebody takes a handful of looks.
        """
        await asyncio.sleep(min(SHORTEST_LOOK * 2 ** (looks - 1), LONGEST_LOOK))
        await self._movement.wait(LONGEST_LOOK)

    async def _read(self, key: tuple[UUID, UUID]) -> Found:
        """From the table; whoever asks for the same at the same time shares one query."""
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._query(*key), name="directory-look-up")
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _query(self, community: UUID, member: UUID) -> Found:
        async with driver(self._engine) as connection:
            asked = time.monotonic()
            streams = [community, derived_id("membership", community, member)]
            row = await connection.fetchrow(self._query_sql, community, member, self._partitions, streams)
        assert row is not None, "the age is always one row"
        if row["held"]:  # the view has moved on without them: what it shows may have been taken back since
            raise Unavailable("Who may do what here was written by a newer release. Try again.", retry_after=2)
        return _entry(community, row), complete_at(asked, row["age"])

    def _remember(self, key: tuple[UUID, UUID], entry: Entry, seconds: float) -> None:
        self._permitted[key] = (time.monotonic() + seconds, entry)
        self._permitted.move_to_end(key)
        if len(self._permitted) > REMEMBERED:
            self._permitted.popitem(last=False)


def _entry(community: UUID, row: asyncpg.Record) -> Entry | None:
    if row["visibility"] is None:
        return None
    standing = NOBODY
    if row["status"] is not None:
        turns = tuple(zip(row["times"] or (), row["joined"] or (), strict=True))
        standing = Standing(row["status"], frozenset(row["roles"] or ()), turns)
    known = Community(
        community,
        row["slug"] or "",
        row["visibility"],
        row["admission"],
        row["time_zone"],
        bool(row["archived"]),
    )
    return known, standing
