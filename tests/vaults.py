"""What a running service's vault still has, and what it forgets when that is asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from datetime import timedelta
from importlib import import_module
from uuid import UUID

from shared.db import Driver, driver
from shared.vault import PostgresVault
from shared.web.runtime import Runtime

TOMBSTONE = "select exists (select from erased where community = $1 and member = $2)"
NOTED = "select ref from vault where superseded_at is not null and content is not null"


async def forget(runtime: Runtime, retention: timedelta = timedelta(0)) -> int:
    """Forget what has stood no more for so long, as the worker does."""
    assert isinstance(runtime.vault, PostgresVault)
    return await runtime.vault.forget_superseded(retention)


async def kept(runtime: Runtime, *words: str) -> list[str]:
    """Which of those words the vault has, anywhere."""
    async with driver(runtime.engine) as connection:
        rows = await connection.fetch("select content from vault where content is not null")
    return [word for word in words if any(word.encode() in row["content"] for row in rows)]


async def noted_and_found(runtime: Runtime) -> tuple[Set[UUID], Set[UUID]]:
    """What appends noted that stands no more, and what the migration finds of it without their notes."""
    migrations = f"services.{runtime.service}.migrations.versions"
    migration = import_module(f"{migrations}.0038_words_that_stand_no_more_are_forgotten")
    async with driver(runtime.engine) as connection:
        noted = await _noted(connection)
        await connection.execute("update vault set superseded_at = null")
        await connection.execute(migration.LEFT_BEHIND)
        return noted, await _noted(connection)


async def _noted(connection: Driver) -> Set[UUID]:
    return {row["ref"] for row in await connection.fetch(NOTED)}


async def erased(runtime: Runtime, community: UUID, member: UUID) -> int:
    """Wait until the service has heard that somebody was erased, and erase as the worker does; how many texts."""
    assert isinstance(runtime.vault, PostgresVault)
    async with driver(runtime.engine) as connection:
        while not await connection.fetchval(TOMBSTONE, community, member):  # a test has a time limit
            await asyncio.sleep(0.02)
    return await runtime.vault.erase_marked()
