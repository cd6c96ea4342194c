"""One short statement tells whether anything of a community has changed since it was last read.

Every fold of a fact moves a change counter in the transaction that writes the fact, so the sums of the counters only
stay the same while the facts do; a view that was rebuilt has other tables, whatever their counters say.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import driver

_COUNTERS = """
    select 'action_change'::regclass::oid::bigint as action_table,
           (select coalesce(sum(n), 0) from action_change where community = $1)::bigint as actions,
           'response_change'::regclass::oid::bigint as response_table,
           (select coalesce(sum(n), 0) from response_change where community = $1)::bigint as responses,
           'membership_change'::regclass::oid::bigint as membership_table,
           (select coalesce(sum(n), 0) from membership_change where community = $1)::bigint as memberships,
           'import_change'::regclass::oid::bigint as import_table,
           (select coalesce(sum(n), 0) from import_change where community = $1)::bigint as imports
"""


@dataclass(frozen=True, slots=True)
class ChangeCounters:
    """Of a community's actions, responses, memberships and withdrawn imports: the table of the counters, and how often
    they moved.
    """

    actions: tuple[int, int]
    responses: tuple[int, int]
    memberships: tuple[int, int]
    imports: tuple[int, int]


async def read_change_counters(engine: AsyncEngine, community: UUID) -> ChangeCounters:
    """The counters now."""
    async with driver(engine) as db:
        row = await db.fetchrow(_COUNTERS, community)
    assert row is not None
    return ChangeCounters(
        (row["action_table"], row["actions"]),
        (row["response_table"], row["responses"]),
        (row["membership_table"], row["memberships"]),
        (row["import_table"], row["imports"]),
    )
