"""Databases with made-up communities, in a PostgreSQL server of the benchmarks' own; its folder stays between runs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg

from benchmarks.made_tables import fill
from benchmarks.processes import free_port
from benchmarks.synthetic import Life, Size, last_day, lives
from deploy.local.home import Home
from deploy.local.postgres import Postgres
from services.projection.app import SERVICE
from shared.settings import Settings
from tests.databases import create_tables
from tests.stack import Stack

FOLDER = Path(__file__).parent / ".data"
"""May be removed at any time; the next run makes it anew."""

_TABLES = 3
"""Which form of the tables they are filled with; what was made with another is made anew."""


@contextmanager
def server() -> Iterator[Postgres]:
    """The server of what is kept, with the settings of a local system."""
    home = Home.at(FOLDER).open()
    with home.lock():
        postgres = Postgres(home, free_port(), {"max_wal_size": "4GB"})
        postgres.start()
        try:
            postgres.wait_ready()
            yield postgres
        finally:
            postgres.stop()


@asynccontextmanager
async def made(postgres: Postgres, stack: Stack, size: Size, *, keep: bool) -> AsyncIterator[tuple[Settings, float]]:
    """A database with communities of that size, and the seconds it took to make; 0 when it was there."""
    edition = f"{last_day():%Y_%m}_{_TABLES}"
    name = f"made_{size.members}_{size.facts}_{size.communities}_{edition}"
    dsn = postgres.dsn(role="postgres")
    settings = Settings(database_url=f"{dsn.rpartition('/')[0]}/{name}", kafka=stack.kafka)
    admin = await asyncpg.connect(dsn)
    try:
        there = {row[0] for row in await admin.fetch("select datname from pg_database where datname like 'made%'")}
        seconds = 0.0
        if name not in there:
            for old in there:  # of another month or other tables, or half made
                if not old.endswith(edition):
                    await admin.execute(f'drop database "{old}" with (force)')
            seconds = await _make(admin, settings, name, size)
        try:
            yield settings, seconds
        finally:
            if not keep:
                await admin.execute(f'drop database "{name}" with (force)')
    finally:
        await admin.close()


async def _make(admin: asyncpg.Connection[asyncpg.Record], settings: Settings, name: str, size: Size) -> float:
    """Under another name until it is whole."""
    began = time.perf_counter()
    await admin.execute(f"drop database if exists {name}_half with (force)")
    await admin.execute(f"create database {name}_half")
    half = settings.model_copy(update={"database_url": f"{settings.database_url}_half"})
    await create_tables(half, SERVICE.metadata)
    db = await asyncpg.connect(half.database_url)
    try:
        await fill(db, (Life(*each) for each in lives(size)))
    finally:
        await db.close()
    await admin.execute(f"alter database {name}_half rename to {name}")
    return time.perf_counter() - began
