"""A look-up in the directory: from memory while it permits, else from the table, waiting while that is behind."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.access.directory import SOURCE, VIEW
from shared.access.standing import NOBODY, Community, Standing
from shared.db import driver
from shared.errors import Unavailable
from shared.views.lookup import NEVER_SEEN, held_all_at, look_until_known
from shared.views.progress import Progress

BELIEVED = 2.0
"""Seconds for which a look-up that permits is believed."""
RELAY_LATENCY = 0.1
"""Seconds after which an event of the member service can be expected on its topic."""
AGE = 600.0
"""Seconds by which a directory that was caught up with may be behind and still permit something."""
REMEMBERED = 50_000
"""Look-ups kept in memory."""

SHORTEST_LOOK, LONGEST_LOOK = 0.005, 0.1
"""Seconds between two looks at the table while it is behind."""

Entry: TypeAlias = tuple[Community, Standing]
Found: TypeAlias = tuple[Entry | None, float]

# How long ago the view held all there was: of its slowest partition, null while one has never been caught up with.
QUERY = f"""
select c.slug, c.visibility, c.admission, c.time_zone, c.archived, m.status, r.roles, t.times, t.joined, w.age
from (select extract(epoch from clock_timestamp() - min(caught_up_at))::float8 as age, count(caught_up_at) as caught
      from watermark where view = '{VIEW}' and source = '{SOURCE}' having count(caught_up_at) >= $3) w
full join (select * from directory_community where community = $1 and version > -9223372036854775808 and not gone) c
       on true
left join directory_member m on m.community = $1 and m.member = $2 and not m.gone
left join lateral (select array_agg(role) as roles from directory_role
                   where community = $1 and member = $2 and granted) r on true
left join lateral (select array_agg(at order by at, turn) as times, array_agg(joined order by at, turn) as joined
                   from directory_turn where community = $1 and member = $2) t on true
"""  # noqa: S608 - our own names


class Directory:
    """Looks up communities and standings in the service's own database.

    `seen` tells the monotonic time at which the reader in this process held all there was; where it runs elsewhere,
    or besides, the watermarks tell. `delay` is how long after it is recorded an event may still be on its way to the
    view: 0 for the member service itself. `progress` tells when views of this process move.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        partitions: int,
        wait: float,
        delay: float = RELAY_LATENCY,
        seen: Callable[[], float] = lambda: NEVER_SEEN,
        progress: Progress | None = None,
        age: float = AGE,
    ) -> None:
        self._engine = engine
        self._age = age
        self._partitions = partitions
        self._wait = wait
        self._delay = delay
        self.seen = seen
        self._progress = progress or Progress()
        self._permitted: OrderedDict[tuple[UUID, UUID], tuple[float, Entry]] = OrderedDict()
        self._under_way: dict[tuple[UUID, UUID], asyncio.Task[Found]] = {}

    async def look_up(
        self,
        community: UUID,
        member: UUID,
        enough: Callable[[Community, Standing], bool],
        *,
        arrived: float | None = None,
    ) -> Entry | None:
        """The community and what the member is there; None where there is no such community.

        What is not `enough` is looked up anew until it is, until the directory holds everything recorded before
        `arrived` (monotonic time; default now), or until the wait is over. Raises `Unavailable` where what permits is
        older than the most that is believed.
        """
        now = time.monotonic()
        key = (community, member)
        known = self._permitted.get(key)
        if known is not None and known[0] > now and enough(*known[1]):
            return known[1]
        held = NEVER_SEEN

        async def look() -> Found:
            nonlocal held
            entry, held = await self._read(key)
            return entry, held

        entry, _ = await look_until_known(
            look,
            lambda found: found is not None and enough(*found),
            self._pause,
            due=(now if arrived is None else arrived) + self._delay,
            patience=self._wait,
        )
        if entry is not None and enough(*entry):
            oldest = time.monotonic() - self._age
            if NEVER_SEEN < held < oldest:
                raise Unavailable("Who may do what has not been heard of for too long here.", retry_after=2)
            until = BELIEVED if held == NEVER_SEEN else min(BELIEVED, held - oldest)
            self._remember(key, entry, until)
        return entry

    async def _pause(self, looks: int) -> None:
        """Until a view of this process has moved or caught up, or some time has passed; ever longer, so that to refuse
        somebody takes a handful of looks.
        """
        await asyncio.sleep(min(SHORTEST_LOOK * 2 ** (looks - 1), LONGEST_LOOK))
        await self._progress.wait(LONGEST_LOOK)

    async def _read(self, key: tuple[UUID, UUID]) -> Found:
        """From the table; whoever asks for the same at the same time shares one query."""
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._query(*key), name="directory-look-up")
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _query(self, community: UUID, member: UUID) -> Found:
        seen = self.seen()
        async with driver(self._engine) as connection:
            asked = time.monotonic()
            row = await connection.fetchrow(QUERY, community, member, self._partitions)
        if row is None:
            return None, seen
        return _entry(community, row), max(seen, held_all_at(asked, row["age"]))

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
