"""The server's side of a connection: statements one after another, which wait for locks, commit, and are broken off."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from types import GeneratorType
from typing import Any

import asyncpg

from tests.simulation.loop import OUTSIDE
from tests.simulation.postgres import Answer, Database, Place, Statement, Transaction, Work

STATEMENT_TIMEOUT = 4.0
LOCK_TIMEOUT = 2.0
CONTROL = frozenset({"BEGIN", "COMMIT", "ROLLBACK"})


class Execution:
    """One statement on its way, perhaps waiting for a lock."""

    def __init__(self, session: Session, transaction: Transaction, answer: Answer) -> None:
        self.session = session
        self.transaction = transaction
        self.answer = answer
        self.share = False
        self._work: Work | None = None
        self._places: Sequence[Place] = ()
        self._wanted: deque[Place] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, statement: Statement, arguments: Sequence[Any]) -> None:
        try:
            made = statement(self.transaction, arguments)
        except asyncpg.PostgresError as error:  # anything else is a fault of the fake's
            self.session.done(self, None, error)
            return
        if type(made) is GeneratorType:
            self._work = made
            self._advance(None)
        else:
            self.session.done(self, made, None)

    def _advance(self, got: Any) -> None:
        assert self._work is not None
        while True:
            try:
                wants = self._work.send(got)
            except StopIteration as end:
                self.session.done(self, end.value, None)
                return
            except asyncpg.PostgresError as error:
                self.session.done(self, None, error)
                return
            lock = self.transaction.database.lock
            if wants.skip:
                got = [place for place in wants.places if lock(place, self.transaction, False, None)]
                continue
            got = self._places = wants.places
            self.share = wants.share
            self._wanted = deque(wants.places)
            if not self._take():
                return

    def _take(self) -> bool:
        while self._wanted:
            if not self.transaction.database.lock(self._wanted[0], self.transaction, self.share, self):
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(self.session.lock_timeout, self._waited_too_long, context=OUTSIDE)
                return False
            self._wanted.popleft()
        return True

    def granted(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._wanted and self.session.execution is self:
            self._wanted.popleft()
            if self._take():
                self._advance(self._places)

    def _waited_too_long(self) -> None:
        self.stop(asyncpg.LockNotAvailableError("canceling statement due to lock timeout"))

    @property
    def waits(self) -> bool:
        return bool(self._wanted)

    def stop(self, error: BaseException) -> None:
        """End it with an error while it waits for a lock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._wanted:
            self.transaction.database.give_up(self._wanted[0], self)
            self._wanted.clear()
        if self._work is not None:
            self._work.close()
        self.session.done(self, None, error)


class Session:
    """The server's side of a connection: one statement at a time, within a transaction or each in its own."""

    def __init__(self, database: Database, lost: Callable[[], None]) -> None:
        self.database = database
        self.lock_timeout = LOCK_TIMEOUT
        self.transaction: Transaction | None = None
        self.execution: Execution | None = None
        self.open = True
        self._lost = lost
        self._gone = False
        self._queue: deque[tuple[str, Sequence[Any], Answer]] = deque()
        self._idle_since = 0.0
        database.sessions[self] = None

    def submit(self, sql: str, arguments: Sequence[Any], answer: Answer) -> None:
        """A statement has arrived."""
        if not self.open:
            return
        if self.execution is not None:
            self._queue.append((sql, arguments, answer))
            return
        if self.transaction is None and sql not in CONTROL and (meaning := self.database.reads(sql)) is not None:
            answer(meaning(self.database.reader, arguments), None)
            return
        transaction = self.transaction or Transaction(self.database, self)
        self.execution = execution = Execution(self, transaction, answer)
        if transaction.failed and sql != "ROLLBACK":
            self.done(execution, None, asyncpg.InFailedSQLTransactionError("current transaction is aborted"))
        elif sql == "BEGIN":
            self.transaction = transaction
            self._watch(asyncio.get_running_loop().time())
            self.done(execution, None, None)
        elif sql == "COMMIT":
            self._commit(execution, None)
        elif sql == "ROLLBACK":
            transaction.roll_back()
            self.transaction = None
            self.done(execution, None, None)
        else:
            execution.begin(self.database.find(sql), arguments)

    def done(self, execution: Execution, result: Any, error: BaseException | None) -> None:
        """A statement has come to its end; on its own it is committed now, which takes a moment."""
        if self.execution is not execution:
            return
        if error is not None:
            if self.transaction is None:
                execution.transaction.roll_back()
            else:
                self.transaction.failed = True
        elif self.transaction is None and execution.transaction.writes:
            self._commit(execution, result)
            return
        elif self.transaction is None:
            self.database.release(execution.transaction)
        self._answer(execution, result, error)

    def _commit(self, execution: Execution, result: Any) -> None:
        delay = self.database.faults.commit()
        asyncio.get_running_loop().call_later(delay, self._committed, execution, result, context=OUTSIDE)

    def _committed(self, execution: Execution, result: Any) -> None:
        if self.execution is execution:
            execution.transaction.commit()
            self.transaction = None
            self._answer(execution, result, None)

    def _answer(self, execution: Execution, result: Any, error: BaseException | None) -> None:
        self.execution = None
        self._idle_since = asyncio.get_running_loop().time()
        execution.answer(result, error)
        if self.open and self._queue:
            self.submit(*self._queue.popleft())
        elif self._gone:
            self._end()

    def cancel(self) -> None:
        """The client asks to break off what is under way; it may come too late."""
        if self.execution is not None and self.execution.waits:
            self.execution.stop(asyncpg.QueryCanceledError("canceling statement due to user request"))

    def gone(self) -> None:
        """The client is no longer there. What runs is not broken off by that; what it had begun is rolled back."""
        self._gone = True
        if self.execution is None and not self._queue:
            self._end()

    def broken(self) -> None:
        """The connection breaks, or the server dies: what is not committed is gone, and the client will hear of it."""
        if self.execution is not None:
            execution, self.execution = self.execution, None
            execution.answer = lambda *_: None
            execution.stop(ConnectionError("broken"))
            execution.transaction.roll_back()
        self._end()
        self._lost()

    def _end(self) -> None:
        if self.open:
            self.open = False
            del self.database.sessions[self]
            if self.transaction is not None:
                self.transaction.roll_back()
                self.transaction = None

    def _watch(self, since: float) -> None:
        """`idle_in_transaction_session_timeout`: a client that falls silent loses its locks."""
        loop = asyncio.get_running_loop()
        began = self.transaction
        self._idle_since = since

        def look() -> None:
            if not self.open or self.transaction is not began:
                return
            idle = 0.0 if self.execution is not None else loop.time() - self._idle_since
            if idle >= STATEMENT_TIMEOUT:
                self.broken()
            else:
                loop.call_later(STATEMENT_TIMEOUT - idle + 0.001, look, context=OUTSIDE)

        loop.call_later(STATEMENT_TIMEOUT, look, context=OUTSIDE)
