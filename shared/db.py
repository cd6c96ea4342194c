"""One engine per process; what needs asyncpg's speed borrows the driver's own connection from it.

Errors come from either, so what one says of the database is told here too, and nowhere else: `FAILED` is any of them,
`BROKEN` those after which nobody knows what was done, `GIVEN_UP` those after which nothing was, and `is_away` tells a
database that is away or overloaded from a statement that was wrong.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeAlias, cast

import asyncpg
import structlog
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.settings import Settings

Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_logger = structlog.get_logger(__name__)


ALCHEMY = "postgresql+asyncpg://"
"""What SQLAlchemy is told; where the database is, how it is spoken to (`sslmode`, `sslrootcert`) and who asks, the
driver reads from the address itself."""


def database_url(settings: Settings, service: str) -> str:
    """The service's own address, as libpq and asyncpg take it: `postgresql://…?sslmode=verify-full&sslrootcert=…`."""
    url = make_url(settings.database_url.replace("{service}", service))
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


OVERFLOW = 2
"""Connections an engine may open beyond its pool, for a moment."""


def create_engine(settings: Settings, service: str, *, connections: int | None = None) -> AsyncEngine:
    """An engine whose every wait is bounded: connecting, locks, statements, idle transactions."""
    milliseconds = {
        "lock_timeout": settings.lock_timeout,
        "statement_timeout": settings.database_timeout,
        "idle_in_transaction_session_timeout": settings.database_timeout,
        "transaction_timeout": settings.database_timeout * 2,
    }
    connect_args: dict[str, Any] = {
        "dsn": database_url(settings, service),
        "timeout": settings.database_timeout,
        "command_timeout": settings.database_timeout + 0.5,
        "server_settings": {
            "application_name": f"guildhall-{service}",
            "jit": "off",  # compiling takes longer than any statement here; the planner's costs do not say so
            **{name: str(int(seconds * 1000)) for name, seconds in milliseconds.items()},
        },
    }
    engine = create_async_engine(
        ALCHEMY,
        pool_size=connections or settings.database_connections,
        max_overflow=OVERFLOW,
        pool_timeout=settings.database_timeout,
        pool_recycle=1800,
        pool_use_lifo=True,
        connect_args=connect_args,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_dead)
    _beginnings[engine.sync_engine] = _Beginning()
    event.listen(engine.sync_engine, "connect", partial(_look_which, _beginnings[engine.sync_engine]))
    return engine


_WHICH = (
    "select extract(epoch from pg_postmaster_start_time())::text || '/' || oid"
    " from pg_database where datname = current_database()"
)


class _Beginning:
    """Which database an engine's connections lead to, and what a process remembers of it."""

    def __init__(self) -> None:
        self.database: str | None = None
        self.memories: list[weakref.WeakMethod[Callable[[], None]]] = []


_beginnings: weakref.WeakKeyDictionary[Any, _Beginning] = weakref.WeakKeyDictionary()


def ends_with_database(engine: AsyncEngine, forget: Callable[[], None]) -> None:
    """Have a method called before the engine's next use of a database that began anew, or is another one.

    What is remembered of a database is true of that one alone: after a restart, a restore or a failover it may have
    gone back, and what was in it may be there under another number. The method's object is not kept alive by this.
    """
    _beginnings.setdefault(engine.sync_engine, _Beginning()).memories.append(weakref.WeakMethod(forget))


def _look_which(beginning: _Beginning, connection: Any, _: object) -> None:
    database: str = connection.run_async(lambda driver: driver.fetchval(_WHICH))
    if beginning.database not in (None, database):
        _logger.info("database began anew, what was remembered of it is forgotten")
        beginning.memories = [memory for memory in beginning.memories if memory() is not None]
        for memory in beginning.memories:
            if (forget := memory()) is not None:
                forget()
    beginning.database = database


def _refuse_dead(connection: Any, *_: object) -> None:
    """Have the pool make a connection anew that broke while nobody used it."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


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


FAILED = (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""Whatever a database or its driver says; a `TimeoutError` is an `OSError`."""
BROKEN = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection says whose server has died and whose end is not there yet
    asyncpg.PostgresConnectionError,
)
"""The connection broke: what was under way may or may not have been done."""
GIVEN_UP = (asyncpg.DeadlockDetectedError, asyncpg.TransactionTimeoutError)
"""The database gave up on a transaction: nothing of it was done."""
_AWAY = (
    *BROKEN,
    *GIVEN_UP,
    asyncpg.SerializationError,
    PoolTimeout,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
)


def is_away(error: BaseException) -> bool:
    """Whether the database did not answer, or gave up, so that nobody's request is at fault."""
    return isinstance(cause_of(error), _AWAY) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def cause_of(error: BaseException) -> BaseException:
    """The driver's own exception behind SQLAlchemy's, which wraps it twice."""
    seen: BaseException = error
    while isinstance(seen, SQLAlchemyError) and (inner := getattr(seen, "orig", None) or seen.__cause__) is not None:
        seen = inner
    raised = seen.__cause__
    return raised if isinstance(raised, (asyncpg.PostgresError, asyncpg.InterfaceError)) else seen


def _usable_after(error: BaseException, raw: Driver) -> bool:
    """Whether an error was the statement's alone, and the connection is as good as before.

    One that may only read leads to a server that is not, or no longer, the one that is written to.
    """
    in_doubt = isinstance(error, (asyncio.CancelledError, asyncpg.ReadOnlySQLTransactionError, *BROKEN))
    return not (in_doubt or raw.is_closed() or raw.is_in_transaction())


async def _discard(connection: AsyncConnection, raw: Driver, error: BaseException | None) -> None:
    raw.terminate()
    await connection.invalidate(error if isinstance(error, Exception) else None)


async def _let_go(connection: AsyncConnection, raw: Driver, error: BaseException | None = None) -> None:
    await _discard(connection, raw, error)
    await connection.close()


class Held:
    """A few connections kept out of the engine's pool for work that never ends; checking one out costs nothing.

    A connection that an error left in doubt is thrown away and made anew at the next use. Each begins with `set_up`,
    a statement for the session.
    """

    def __init__(self, engine: AsyncEngine, size: int, set_up: str | None = None) -> None:
        self._engine = engine
        self._set_up = set_up
        self._slots = asyncio.Semaphore(size)
        self._idle: list[tuple[AsyncConnection, Driver]] = []
        self._closed = False

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Driver]:
        """A driver's connection, this task's alone."""
        async with self._slots:
            connection, raw = await self._take()
            try:
                yield raw
            except BaseException as error:
                if _usable_after(error, raw):
                    await self._give_back(connection, raw)
                else:
                    await _let_go(connection, raw, error)
                raise
            await self._give_back(connection, raw)

    async def _take(self) -> tuple[AsyncConnection, Driver]:
        while self._idle:
            connection, raw = self._idle.pop()
            if not raw.is_closed():
                return connection, raw
            await _let_go(connection, raw)
        connection = await self._engine.connect()
        raw = cast("Driver", (await connection.get_raw_connection()).driver_connection)
        try:
            if self._set_up is not None:
                await raw.execute(self._set_up)
        except BaseException as error:
            await _let_go(connection, raw, error)
            raise
        return connection, raw

    async def _give_back(self, connection: AsyncConnection, raw: Driver) -> None:
        self._idle.append((connection, raw))
        if self._closed:
            await self.close()

    async def close(self) -> None:
        """Let go of them; of one that is in use as soon as it is given back."""
        self._closed = True
        while self._idle:
            connection, raw = self._idle.pop()
            if self._set_up is None:
                await connection.close()
            else:  # the pool's others are not set up like it
                await _let_go(connection, raw)
