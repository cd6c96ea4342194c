"""What one answer is made of is read in one snapshot of the database, on one connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import Driver, driver

CUSTOM = "set local plan_cache_mode = force_custom_plan"
"""Each question is planned for its own community and its own days.

From the sixth time on PostgreSQL plans a prepared statement once for all arguments; it takes a thousand spans of days
for ten then, and reads a table of a hundred communities as often as there are spans: 20 s instead of 0.1 s.
"""


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncIterator[Driver]:
    """A connection on which every statement sees the same state; it is for short reads, transactions have a limit."""
    async with driver(engine) as db, db.transaction(isolation="repeatable_read", readonly=True):
        await db.execute(CUSTOM)
        yield db
