"""One engine per process; what needs asyncpg's speed borrows the driver's own connection from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, cast

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.settings import Settings

Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


def database_url(settings: Settings, service: str) -> str:
    """The service's own address, as SQLAlchemy with asyncpg takes it."""
    url = make_url(settings.database_url.replace("{service}", service))
    return url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def create_engine(settings: Settings, service: str, *, connections: int | None = None) -> AsyncEngine:
    """An engine whose every wait is bounded: connecting, locks, statements, idle transactions."""
    milliseconds = {
        "lock_timeout": settings.lock_timeout,
        "statement_timeout": settings.database_timeout,
        "idle_in_transaction_session_timeout": settings.database_timeout,
        "transaction_timeout": settings.database_timeout * 2,
    }
    connect_args: dict[str, Any] = {
        "timeout": settings.database_timeout,
        "command_timeout": settings.database_timeout + 0.5,
        "server_settings": {
            "application_name": f"guildhall-{service}",
            **{name: str(int(seconds * 1000)) for name, seconds in milliseconds.items()},
        },
    }
    return create_async_engine(
        database_url(settings, service),
        pool_size=connections or settings.database_connections,
        max_overflow=2,
        pool_timeout=settings.database_timeout,
        pool_recycle=1800,
        pool_use_lifo=True,
        connect_args=connect_args,
    )


@asynccontextmanager
async def driver(engine: AsyncEngine) -> AsyncIterator[Driver]:
    """The asyncpg connection under one of the engine's, for the statements that must be fast.

    Nothing has begun a transaction on it; use `async with connection.transaction()` for more than one statement.
    """
    async with engine.connect() as connection:
        raw = cast("Driver", (await connection.get_raw_connection()).driver_connection)
        try:
            yield raw
        except BaseException as error:
            # SQLAlchemy did not see what happened; a connection in doubt must not go back to its pool.
            if not _usable_after(error, raw):
                await _discard(connection, raw, error)
            raise
        if raw.is_closed():
            await connection.invalidate()


def _usable_after(error: BaseException, raw: Driver) -> bool:
    """Whether an error was the statement's alone, and the connection is as good as before."""
    return not raw.is_closed() and not raw.is_in_transaction() and not isinstance(error, _IN_DOUBT)


_IN_DOUBT = (
    asyncio.CancelledError,
    TimeoutError,
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
)


async def _discard(connection: AsyncConnection, raw: Driver, error: BaseException) -> None:
    raw.terminate()
    await connection.invalidate(error if isinstance(error, Exception) else None)


class Held:
    """A few connections kept out of the engine's pool for work that never ends; checking one out costs nothing.

    A connection that an error left in doubt is thrown away and made anew at the next use.
    """

    def __init__(self, engine: AsyncEngine, size: int) -> None:
        self._engine = engine
        self._slots = asyncio.Semaphore(size)
        self._idle: list[tuple[AsyncConnection, Driver]] = []

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Driver]:
        """A driver's connection, this task's alone."""
        async with self._slots:
            connection, raw = self._idle.pop() if self._idle else await self._connect()
            try:
                yield raw
            except BaseException as error:
                if _usable_after(error, raw):
                    self._idle.append((connection, raw))
                else:
                    await _discard(connection, raw, error)
                    await connection.close()
                raise
            self._idle.append((connection, raw))

    async def _connect(self) -> tuple[AsyncConnection, Driver]:
        connection = await self._engine.connect()
        raw = await connection.get_raw_connection()
        return connection, cast("Driver", raw.driver_connection)

    async def close(self) -> None:
        while self._idle:
            connection, _ = self._idle.pop()
            await connection.close()
