"""What one answer is made of is read in one snapshot of the database, on one connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import Driver, driver


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncIterator[Driver]:
    """A connection on which every statement sees the same state; it is for short reads, transactions have a limit."""
    async with driver(engine) as db, db.transaction(isolation="repeatable_read", readonly=True):
        yield db
