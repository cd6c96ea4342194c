"""What the kernel holds of asyncpg and SQLAlchemy: an engine and its connections, over a network that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from types import SimpleNamespace
from typing import Any

import asyncpg

from shared import db
from shared.lease import RENEW
from tests.simulation.faults import Faults
from tests.simulation.loop import OUTSIDE, PROCESS, never
from tests.simulation.postgres import Database
from tests.simulation.sessions import CONTROL, Session

COMMAND_TIMEOUT = 4.5
ALLOWED = frozenset({"request lost", "reply lost", "swallowed", "delay", "transaction failed", "crash"})


class Connection:
    """The part of `asyncpg.Connection` that the kernel uses."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session = Session(database, self._lost)
        self._closed = False
        self._in_transaction = False
        self._under_way: asyncio.Future[Any] | None = None
        self._arrives = 0.0

    async def fetch(self, sql: str, *arguments: Any, timeout: float | None = None) -> list[Any]:
        rows: list[Any] = await self._call(sql, arguments)
        return rows

    async def fetchrow(self, sql: str, *arguments: Any, timeout: float | None = None) -> Any:
        rows = await self._call(sql, arguments)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *arguments: Any, column: int = 0, timeout: float | None = None) -> Any:
        rows = await self._call(sql, arguments)
        return rows[0][column] if rows else None

    async def execute(self, sql: str, *arguments: Any, timeout: float | None = None) -> str:
        done = await self._call(sql, arguments)
        return done if isinstance(done, str) else f"SELECT {len(done or ())}"

    def transaction(self, **_: Any) -> Begun:
        return Begun(self)

    def is_closed(self) -> bool:
        return self._closed

    def is_in_transaction(self) -> bool:
        return self._in_transaction

    def terminate(self) -> None:
        if not self._closed:
            self._closed = True
            self.hang_up()

    async def close(self, timeout: float | None = None) -> None:
        self.terminate()

    def hang_up(self) -> None:
        """The server hears that nobody is there any more, after whatever was sent before."""
        loop = asyncio.get_running_loop()
        when = max(loop.time() + self._database.faults.latency(), self._arrives + 1e-6)
        loop.call_at(when, self._session.gone, context=OUTSIDE)

    async def _call(self, sql: str, arguments: Sequence[Any]) -> Any:
        if self._closed or self._database.over:
            self._closed = True
            raise asyncpg.InterfaceError("connection is closed")
        if self._under_way is not None:
            raise asyncpg.InterfaceError("cannot perform operation: another operation is in progress")
        loop, faults, session = asyncio.get_running_loop(), self._database.faults, self._session
        future = self._under_way = loop.create_future()
        fault = faults.network(ALLOWED)
        delay = faults.latency() * 2
        if fault is None:
            self._arrives = self._behind(delay)
            loop.call_at(self._arrives, session.submit, sql, arguments, self._answer(future, sql), context=OUTSIDE)
        else:
            self._suffer(fault, delay, future, sql, arguments)
            if fault == "crash":
                await never()
        try:
            answer = await future
        except asyncio.CancelledError:
            if faults.random.random() < 0.5:
                loop.call_later(faults.latency(), session.cancel, context=OUTSIDE)
            raise
        finally:
            self._under_way = None
        if sql == RENEW and not answer:
            for hear in self._database.not_renewed:
                hear(*arguments[:3])
        return answer

    def _behind(self, delay: float) -> float:
        """When a message arrives that is sent now: on one connection none overtakes the one before it."""
        return max(self._arrives + 1e-6, asyncio.get_running_loop().time() + delay)

    def _suffer(
        self, fault: str, delay: float, future: asyncio.Future[Any], sql: str, arguments: Sequence[Any]
    ) -> None:
        loop, faults, session = asyncio.get_running_loop(), self._database.faults, self._session
        answer = self._answer(future, sql)
        sent = True
        match fault:
            case "request lost":
                sent = False
                loop.call_later(delay, session.broken, context=OUTSIDE)
            case "reply lost":
                answer = lambda *_: session.broken()  # noqa: E731 - one of several answers
            case "swallowed":
                sent = faults.random.random() < 0.5
                answer = lambda *_: None  # noqa: E731
                loop.call_later(COMMAND_TIMEOUT, _fail, future, TimeoutError(), context=OUTSIDE)
            case "delay":
                delay += faults.delay()
            case "transaction failed":
                sent = False
                loop.call_later(delay, self._fail_transaction, future, sql, context=OUTSIDE)
            case "crash":
                sent = faults.random.random() < 0.5
        if sent:
            self._arrives = self._behind(delay)
            loop.call_at(self._arrives, session.submit, sql, arguments, answer, context=OUTSIDE)
        if fault == "crash" and (process := PROCESS.get()) is not None:
            process.kill()

    def _fail_transaction(self, future: asyncio.Future[Any], sql: str) -> None:
        session, random = self._session, self._database.faults.random
        if not session.open or session.execution is not None:
            return
        kind = random.choice([asyncpg.DeadlockDetectedError, asyncpg.AdminShutdownError, asyncpg.SerializationError])
        _fail(future, kind(f"simulated, at {sql[:40]}"))
        if kind is asyncpg.AdminShutdownError:
            session.broken()
        elif session.transaction is not None:
            if sql == "COMMIT":
                session.transaction.roll_back()
                session.transaction = None
                self._in_transaction = False
            else:
                session.transaction.failed = True

    def _answer(self, future: asyncio.Future[Any], sql: str) -> Any:
        def answer(result: Any, error: BaseException | None) -> None:
            if sql in CONTROL:
                self._in_transaction = self._session.transaction is not None
            if error is not None:
                _fail(future, error)
            elif not future.done():
                future.set_result(result)

        return answer

    def _lost(self) -> None:
        self._closed = True
        if self._under_way is not None:
            _fail(self._under_way, asyncpg.ConnectionDoesNotExistError("connection was closed in the middle"))


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


class Begun:
    """`asyncpg.transaction.Transaction`: whatever its block raises, it is rolled back, also where that raises."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def start(self) -> None:
        await self._connection.execute("BEGIN")

    async def commit(self) -> None:
        await self._connection.execute("COMMIT")

    async def rollback(self) -> None:
        await self._connection.execute("ROLLBACK")

    async def __aenter__(self) -> Begun:
        await self.start()
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            await self.commit()
        else:
            await self.rollback()


class Engine:
    """The part of SQLAlchemy's `AsyncEngine` that the kernel uses."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.sync_engine = self
        self.connections: list[Connection] = []
        self.idle: list[Connection] = []

    def connect(self) -> Connecting:
        return Connecting(self)

    async def open(self) -> Connection:
        while self.idle:
            connection = self.idle.pop()
            if not connection.is_closed():
                return connection
        faults: Faults = self.database.faults
        await asyncio.sleep(faults.latency() * 3)
        if self.database.away or self.database.over:
            raise ConnectionRefusedError("simulated: the database is away")
        self.connections = [one for one in self.connections if not one.is_closed()]
        connection = Connection(self.database)
        self.connections.append(connection)
        which = SimpleNamespace(run_async=lambda _: f"{self.database.name} started {self.database.started}")
        db._look_which(db._beginnings.setdefault(self, db._Beginning()), which, None)
        return connection

    async def dispose(self) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Its process is gone; the server hears of it in its own time."""
        for connection in self.connections:
            if not connection.is_closed():
                connection.hang_up()


class Connecting:
    """What `engine.connect()` gives: to be awaited or entered."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def __await__(self) -> Generator[Any, Any, Connecting]:
        return self._open().__await__()

    async def _open(self) -> Connecting:
        self._connection = await self._engine.open()
        return self

    async def __aenter__(self) -> Connecting:
        return await self._open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def get_raw_connection(self) -> Any:
        return SimpleNamespace(driver_connection=self._connection)

    async def invalidate(self, exception: BaseException | None = None) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            self._engine.idle.append(self._connection)
        self._connection = None
