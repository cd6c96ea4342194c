"""Looks a target up among what the content service has told, and waits for news that may still be on their way.

What is there is answered at once. What is not there is looked for until the view holds everything that was acknowledged
before the request arrived; so a reaction right after its thread was opened works, and 404 means that there is none.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from services.engagement.read_models.targets import TARGETS
from services.engagement.targets import Target
from shared.db import driver
from shared.events.errors import Behind
from shared.events.identity import Caller
from shared.projections.completeness import age_sql, complete_at
from shared.projections.waiters import Waiters
from shared.replicas.lookup import look_until_known, waiting
from shared.web import context
from shared.web.runtime import Runtime

PATIENCE: Final = 2.0
"""Seconds a request waits for a view that is behind."""
BACKFILL_PATIENCE: Final = 30.0
"""The same for a line of a backfill: what it is about was often brought in just before, with thousands of others."""

SHORTEST_LOOK, LONGEST_LOOK, LONGER = 0.05, 0.25, 1.25
"""Seconds between two looks, and by how much each pause is longer than the one before: what comes is found within a
quarter more of the time that it took."""

# A target is gone with what it stands in.
QUERY: Final = f"""
select t.kind, t.author, t.gone or coalesce(p.gone, false) or coalesce(h.gone, false) as gone,
       least(t.deleted_at, p.deleted_at, h.deleted_at) as gone_at, w.age
from ({age_sql(TARGETS.name, "content", "$3")}) w
left join targets t on t.community = $1 and t.target = $2 and t.kind is not null
left join targets p on p.community = $1 and p.target = t.parent
left join targets h on h.community = $1 and h.target = t.thread
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class TargetLookup:
    """Reads the service's own database. `partitions` is how many the content service's log has.

    `clock_bound` is by how many seconds the clock of the content service's database may be ahead of this one's.
    """

    engine: AsyncEngine
    partitions: int
    clock_bound: float
    waiters: Waiters

    async def look_up(
        self, community: UUID, target: UUID, *, caller: Caller | None, patience: float = PATIENCE
    ) -> Target | None:
        """The target in that community, None where there is none; `caller` is None for a line of a backfill.

        Raises `Behind` when the view is not complete up to now `patience` seconds later, so that nobody can tell; and
        what `Waiters` raises.
        """
        found, known = await look_until_known(
            lambda: self._query(community, target),
            lambda found: found is not None,
            lambda looks: asyncio.sleep(min(SHORTEST_LOOK * LONGER ** (looks - 1), LONGEST_LOOK)),
            due=time.monotonic() + self.clock_bound,
            patience=patience,
            waiting=waiting(self.waiters, caller),
        )
        if not known:
            raise Behind("What you name may have just been written; it has not arrived here. Try again.", retry_after=1)
        return found

    async def _query(self, community: UUID, target: UUID) -> tuple[Target | None, float]:
        asked = time.monotonic()
        async with driver(self.engine) as connection:
            row = await connection.fetchrow(QUERY, community, target, self.partitions)
        assert row is not None, "the watermarks always make one row"
        found = None if row["kind"] is None else Target(target, row["kind"], row["author"], row["gone"], row["gone_at"])
        return found, complete_at(asked, row["age"])


def target_lookup(runtime: Runtime) -> TargetLookup:
    """The look-up of a process."""
    return TargetLookup(runtime.engine, runtime.settings.partitions, runtime.settings.clock_bound, runtime.waiters)


async def _of_request(request: Request) -> TargetLookup:
    return target_lookup(context.runtime_of(request))


Targets = Annotated[TargetLookup, Depends(_of_request)]
