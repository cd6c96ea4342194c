"""A service's schema: brought to its newest revision, compared with its metadata, and seeded with its partitions.

What compares does so in a database made for it and dropped afterwards, so it needs a server and harms nothing.
"""

from __future__ import annotations

import asyncio
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from shared.db import ALCHEMY, FAILED, database_url
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.service.service import Service

PARTITIONED = ("log_partition", "relay_checkpoint")
"""Tables with a row for each partition."""

_ONE_AT_A_TIME = 0x6775696C64  # an advisory lock's key: "guild"


class MigrationProblem(Exception):
    """The schema cannot be brought or compared; the message says what to do."""


def belongs(name: str | None, kind: str, parents: MutableMapping[Any, Any]) -> bool:
    """Whether alembic looks at a table: not at those of a rebuild under way."""
    return kind != "table" or name is None or not name.endswith("__next")


def newest(service: Service) -> set[str]:
    """The newest revision that the service's code knows; empty while it has none."""
    return set(ScriptDirectory.from_config(_config(service)).get_heads()) if folder(service).is_dir() else set()


async def current(connection: AsyncConnection) -> set[str]:
    """The revisions the database is at."""
    if await connection.scalar(sa.text("select to_regclass('alembic_version')")) is None:
        return set()
    return set((await connection.scalars(sa.text("select version_num from alembic_version"))).all())


async def migrate(service: Service, settings: Settings, *, wait: float = 0.0) -> None:
    """Bring the service's database to its newest revision, with a row for each partition.

    Waits up to `wait` seconds for the database. Raises `MigrationProblem` when it stays away, and when the database
    was made with another number of partitions.
    """
    async with _connected(database_url(settings, service.name), wait=wait) as connection:
        await connection.execute(sa.select(sa.func.pg_advisory_lock(_ONE_AT_A_TIME)))
        await connection.commit()
        await _run(connection, service, command.upgrade, "head")
        for table in PARTITIONED:
            if table in service.metadata.tables:
                await _seed(connection, service.metadata.tables[table], settings.partitions)
        await connection.commit()


async def _seed(connection: AsyncConnection, table: sa.Table, partitions: int) -> None:
    (key,) = table.primary_key.columns
    present = await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
    if present not in (0, partitions):
        raise MigrationProblem(
            f"This database was made with {present} partitions, the settings say {partitions}. "
            f"The number is fixed when a system is made: set GUILDHALL_PARTITIONS={present}."
        )
    if not present:
        await connection.execute(sa.insert(table), [{key.name: partition} for partition in range(partitions)])


async def check(service: Service, settings: Settings) -> None:
    """Raises `MigrationProblem` when the newest revision makes another schema than the service's metadata."""
    async with _scratch(settings) as connection:
        await _run(connection, service, command.upgrade, "head")
        await _run(connection, service, command.check)


async def revise(service: Service, settings: Settings, message: str) -> list[Path]:
    """Write the revision that leads from the newest one to the service's metadata; the files it wrote."""
    where = folder(service)
    for package in (where.parent, where):
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
    before = set(where.glob("*.py"))
    async with _scratch(settings) as connection:
        await _run(connection, service, command.upgrade, "head")
        number = f"{max((int(name) for name in newest(service)), default=0) + 1:04}"

        def autogenerate(config: Config) -> None:
            command.revision(config, message, autogenerate=True, rev_id=number)

        await _run(connection, service, autogenerate)
    return sorted(set(where.glob("*.py")) - before)


async def _run(connection: AsyncConnection, service: Service, run: Callable[..., Any], *arguments: Any) -> None:
    def on(plain: sa.Connection) -> None:
        config = _config(service)
        config.attributes.update(connection=plain, metadata=service.metadata)
        run(config, *arguments)

    try:
        await connection.run_sync(on)
    except CommandError as error:
        raise MigrationProblem(f"{service.name}: {error}") from error
    await connection.commit()


def folder(service: Service) -> Path:
    """Where a service's revisions are."""
    return service.migrations or Path(str(files(f"services.{service.name}"))) / "migrations" / "versions"


def _config(service: Service) -> Config:
    config = Config(cmd_opts=Namespace(quiet=True))  # what it did is said by who asked for it
    config.set_main_option("script_location", str(files("shared.service") / "migrations"))
    config.set_main_option("version_locations", str(folder(service)))
    config.set_main_option("path_separator", "newline")
    return config


@asynccontextmanager
async def _connected(url: str, *, wait: float = 0.0) -> AsyncIterator[AsyncConnection]:
    """A connection, tried again for up to `wait` seconds while the server is not there yet."""
    engine = create_async_engine(ALCHEMY, poolclass=NullPool, connect_args={"dsn": url, "timeout": 5})
    until = time.monotonic() + wait
    try:
        while True:
            try:
                connection = await engine.connect()
                break
            except FAILED as error:
                if time.monotonic() >= until:
                    where = make_url(url).render_as_string(hide_password=True)
                    raise MigrationProblem(f"The database does not answer at {where}: {error}") from error
            await asyncio.sleep(0.3)
        try:
            yield connection
        finally:
            await connection.close()
    finally:
        await engine.dispose()


@asynccontextmanager
async def _scratch(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """A connection to a new database on the same server, dropped afterwards."""
    name = f"guildhall_check_{uuid4().hex}"
    server = make_url(database_url(settings, "check")).set(database="postgres")
    try:
        admin = await asyncpg.connect(server.render_as_string(hide_password=False), timeout=5)
    except FAILED as error:
        raise MigrationProblem(f"No PostgreSQL at {server.render_as_string()}: {error}") from error
    try:
        await admin.execute(f"create database {name}")
        try:
            async with _connected(server.set(database=name).render_as_string(hide_password=False)) as connection:
                yield connection
        finally:
            await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()
