"""The log in PostgreSQL, empty."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import create_engine, driver
from shared.log.postgres import PostgresLog
from shared.settings import Settings
from shared.tables import service_metadata
from tests.conftest import FreshDatabase


@pytest.fixture(scope="module")
async def settings(fresh_database: FreshDatabase) -> AsyncIterator[Settings]:
    async with fresh_database(service_metadata(facts=True)) as fresh:
        yield fresh


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings, "toy")
    async with driver(engine) as connection:
        await connection.execute("truncate log, vault, claim; update log_partition set position = 0")
    yield engine
    await engine.dispose()


@pytest.fixture
async def log(engine: AsyncEngine) -> AsyncIterator[PostgresLog]:
    log = PostgresLog(engine, "toy")
    await log.start()
    yield log
    await log.close()
