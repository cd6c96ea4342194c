"""Looks a target up among what the content service has told, and waits for news that may still be on their way.

What is there is answered at once. What is not there is looked for until the view holds everything that was recorded
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

from services.engagement.targets import Target
from services.engagement.views.targets import TARGETS
from shared.access.lookup import RELAY_LATENCY
from shared.db import driver
from shared.errors import Behind
from shared.http import context
from shared.runtime import Runtime
from shared.views.lookup import held_all_at, look_until_known

PATIENCE: Final = 2.0
"""Seconds a request waits for a view that is behind."""
BACKFILL_PATIENCE: Final = 30.0
BACKFILL_LATENCY: Final = 1.0
"""The same for a line of a backfill: what it is about was often brought in just before, with thousands of others, and
is given longer to come by."""

_LOOK: Final = 0.05

# A target is gone with what it stands in. The age is how long ago the view held all there was, of its slowest
# partition; null while one has never been caught up with.
QUERY: Final = f"""
select t.kind, t.author, t.gone or coalesce(p.gone, false) or coalesce(h.gone, false) as gone,
       least(t.deleted_at, p.deleted_at, h.deleted_at) as gone_at, w.age
from (select case when count(caught_up_at) >= $3
                  then extract(epoch from clock_timestamp() - min(caught_up_at))::float8 end as age
      from watermark where view = '{TARGETS.name}' and source = 'content') w
left join targets t on t.community = $1 and t.target = $2 and t.kind is not null
left join targets p on p.community = $1 and p.target = t.parent
left join targets h on h.community = $1 and h.target = t.thread
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class TargetLookup:
    """Reads the service's own database. `partitions` is how many the content service's topic has."""

    engine: AsyncEngine
    partitions: int

    async def look_up(
        self, community: UUID, target: UUID, *, latency: float = RELAY_LATENCY, patience: float = PATIENCE
    ) -> Target | None:
        """The target in that community, None where there is none.

        `latency` is how long an event may be on its way to the topic. Raises `Behind` when the view was not caught up
        with `patience` seconds after that, so that nobody can tell.
        """
        found, known = await look_until_known(
            lambda: self._query(community, target),
            lambda found: found is not None,
            lambda _: asyncio.sleep(_LOOK),
            due=time.monotonic() + latency,
            patience=patience,
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
        return found, held_all_at(asked, row["age"])


def target_lookup(runtime: Runtime) -> TargetLookup:
    """The look-up of a process."""
    return TargetLookup(runtime.engine, runtime.settings.partitions)


async def _of_request(request: Request) -> TargetLookup:
    return target_lookup(context.runtime_of(request))


Targets = Annotated[TargetLookup, Depends(_of_request)]
