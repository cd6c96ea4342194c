"""A database of a test's own, made from a service's metadata and dropped at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from shared.db import ALCHEMY, database_url
from shared.log.agreement import AGREE
from shared.settings import Settings
from tests.stack import Stack


@asynccontextmanager
async def fresh_database(stack: Stack, metadata: sa.MetaData, *, partitions: int = 12) -> AsyncIterator[Settings]:
    """Settings that point at a new database with those tables, and at the stack's broker."""
    name = f"test_{uuid4().hex}"
    admin = await asyncpg.connect(stack.postgres_dsn)
    try:
        await admin.execute(f"create database {name}")
        settings = Settings(
            database_url=stack.postgres_dsn.rpartition("/")[0] + f"/{name}",
            kafka=stack.kafka,
            partitions=partitions,
            foundings=100_000,
            joinings=100_000,
            refusal_share=1.0,  # refusals are tested by the hundred, on machines of any speed
        )
        await create_tables(settings, metadata)
        try:
            yield settings
        finally:
            await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()


async def create_tables(settings: Settings, metadata: sa.MetaData) -> None:
    """The tables, and a row for each partition, as `guildhall migrate` and the relay's first look leave them."""
    engine = create_async_engine(ALCHEMY, connect_args={"dsn": database_url(settings, "test")})
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        for table in ("log_partition", "relay_checkpoint"):
            if table in metadata.tables:
                key = metadata.tables[table].primary_key.columns.values()[0]
                rows = [{key.name: partition} for partition in range(settings.partitions)]
                await connection.execute(sa.insert(metadata.tables[table]), rows)
        if "log_partition" in metadata.tables:  # a relay finds it so, and not every test has one
            await connection.exec_driver_sql(AGREE)
    await engine.dispose()
