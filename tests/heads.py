"""Heads of logs in this process, told to a service's database without Kafka: what a follower of heads would keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.cancellation import end
from shared.db import driver
from shared.log.port import Log
from shared.projections.heads import KEEP
from shared.projections.movement import Movement

EVERY = 0.1
"""Seconds between two heads."""


async def tell(engine: AsyncEngine, logs: Mapping[str, Log]) -> None:
    """How far these logs are now."""
    async with driver(engine) as connection:
        at = await connection.fetchval("select clock_timestamp()")
        for source, log in logs.items():
            await connection.execute(KEEP, source, at, list(await log.heads()), 0.0)


@asynccontextmanager
async def telling(engine: AsyncEngine, logs: Mapping[str, Log], movement: Movement) -> AsyncIterator[None]:
    """Meanwhile the database is told again and again."""

    async def go_on() -> None:
        while True:
            await tell(engine, logs)
            movement.moved()
            await asyncio.sleep(EVERY)

    task = asyncio.create_task(go_on(), name="heads")
    try:
        yield
    finally:
        await end(task)
