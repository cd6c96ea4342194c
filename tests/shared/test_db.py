"""What a process remembers of a database ends with that database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg

from shared.db import create_engine, driver, ends_with_database
from shared.projections.member_sets import Ordinals
from shared.settings import Settings
from shared.tables import service_metadata
from tests.databases import create_tables
from tests.stack import Stack


class Memory:
    def __init__(self) -> None:
        self.forgot = 0

    def forget(self) -> None:
        self.forgot += 1


@asynccontextmanager
async def database(stack: Stack, name: str) -> AsyncIterator[Settings]:
    """One of that name, made anew each time."""
    admin = await asyncpg.connect(stack.postgres_dsn)
    try:
        await admin.execute(f"create database {name}")
        yield Settings(database_url=stack.postgres_dsn.rpartition("/")[0] + f"/{name}", kafka=stack.kafka)
        await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()


async def test_it_is_forgotten_before_the_next_database_is_used_and_not_while_there_is_one(stack: Stack) -> None:
    memory, name = Memory(), f"test_{uuid4().hex}"
    async with database(stack, name) as settings:
        engine = create_engine(settings, "toy")
        ends_with_database(engine, memory.forget)
        for _ in range(3):
            async with driver(engine) as one, driver(engine) as other:
                await one.execute("select 1")
                await other.execute("select 1")
                await other.close()
    assert memory.forgot == 0

    async with database(stack, name), driver(engine) as connection:
        assert memory.forgot == 1
        await connection.execute("select 1")
    await engine.dispose()


async def test_two_members_stay_two_in_a_database_that_was_made_anew(stack: Stack) -> None:
    name, community, (first, second) = f"test_{uuid4().hex}", uuid4(), (uuid4(), uuid4())
    ordinals, metadata = Ordinals(), service_metadata(facts=False)
    async with database(stack, name) as settings:
        await create_tables(settings, metadata)
        engine = create_engine(settings, "toy")
        ends_with_database(engine, ordinals.forget)
        async with driver(engine) as connection, connection.transaction():
            ordinals.learn(await ordinals.of(connection, [(community, first)]))

    async with database(stack, name) as settings:
        await create_tables(settings, metadata)
        async with driver(engine) as connection, connection.transaction():
            ordinals.learn(await ordinals.of(connection, [(community, second)]))
        async with driver(engine) as connection, connection.transaction():
            found = await ordinals.of(connection, [(community, first), (community, second)])
            assert await connection.fetchval("select count(*) from member_ordinal") == 2
    await engine.dispose()
    assert len(set(found.values())) == 2
