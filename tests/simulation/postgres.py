"""PostgreSQL in memory: transactions, row locks that are held to the commit, and what is committed.

A statement reads what is committed and what its own transaction wrote (`read committed`). It asks for its row locks
before it reads what they guard, waits for them as long as `lock_timeout`, and holds them until its transaction ends.
What each of the kernel's statements means stands in `statements.py` and `view_statements.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.simulation.faults import Faults
from tests.simulation.loop import OUTSIDE

if TYPE_CHECKING:
    from tests.simulation.sessions import Execution, Session

Place: TypeAlias = tuple[str, Any]
"""A table (or another kind of thing that is locked) and a key in it."""
Answer: TypeAlias = Callable[[Any, BaseException | None], None]
Statement: TypeAlias = Callable[["Transaction", Sequence[Any]], Any]
"""A plain function, or a generator that yields `Locks` and is given those it got."""
Work: TypeAlias = Generator["Locks", Sequence[Place], Any]
Tables: TypeAlias = dict[str, dict[Any, Any]]
"""Rows by table and key. A row is never changed, only put in the place of another."""


@dataclass(frozen=True, slots=True)
class Locks:
    """Row locks a statement wants, in this order. With `skip` it gets those that are free."""

    places: Sequence[Place]
    share: bool = False
    skip: bool = False


class Database:
    """What is committed, by table and key, and who has locked what. `clock` is the server's wall clock."""

    def __init__(self, name: str, faults: Faults, clock: Callable[[], datetime], find: Callable[[str], Statement]):
        self.name = name
        self.faults = faults
        self.clock = clock
        self.find = find
        self.tables: Tables = {}
        self.away = self.over = False
        self.started = 1
        """How often the server has been started."""
        self.before_commit: list[Callable[[Database, Transaction], None]] = []
        self.committed: list[Callable[[Database, Transaction], None]] = []
        self.not_renewed: list[Callable[..., None]] = []
        """Told of the lease that its holder asked to renew and heard that it has not."""
        self.went_back: list[Callable[[Database], None]] = []
        self.sessions: dict[Session, None] = {}
        self._holders: dict[Place, dict[Transaction, bool]] = {}
        self._waiting: dict[Place, deque[Execution]] = {}

    @cached_property
    def reader(self) -> Transaction:
        """What a statement on its own that only reads runs in; it locks nothing and sees what is committed."""
        return Transaction(self, None)

    def reads(self, sql: str) -> Statement | None:
        """The meaning of a statement that only reads."""
        meaning = self.find(sql)
        return meaning if hasattr(meaning, "only_reads") else None

    def table(self, name: str) -> dict[Any, Any]:
        return self.tables.setdefault(name, {})

    def cut(self, chosen: Callable[[], bool] = lambda: True) -> None:
        """Break connections; what was under way in them is rolled back."""
        for session in list(self.sessions):
            if chosen():
                session.broken()

    def copy(self) -> Tables:
        """What is committed: a backup."""
        return {name: dict(rows) for name, rows in self.tables.items()}

    def go_back(self, backup: Tables) -> None:
        """The server ends, with all that is under way, and begins anew with what it held then."""
        self.started += 1
        self.cut()
        for name in {**self.tables, **backup}:
            rows = self.table(name)
            rows.clear()
            rows.update(backup.get(name, {}))
        for watch in self.went_back:
            watch(self)

    # Locks

    def lock(self, place: Place, transaction: Transaction, share: bool, waiter: Execution | None) -> bool:
        """Take it; where another has it, stand in line (with a `waiter`) and say False."""
        holders = self._holders.setdefault(place, {})
        mine = holders.get(transaction)
        if mine is not None and (mine is False or share):  # False: held exclusively
            return True
        others = any(holder is not transaction and not (share and shared) for holder, shared in holders.items())
        queued = self._waiting.get(place)
        if others or (queued and queued[0] is not waiter):
            if waiter is not None and waiter not in self._waiting.setdefault(place, deque()):
                self._waiting[place].append(waiter)
            return False
        holders[transaction] = share
        transaction.locks[place] = None
        return True

    def give_up(self, place: Place, waiter: Execution) -> None:
        queue = self._waiting.get(place)
        if queue and waiter in queue:
            queue.remove(waiter)
            self._next(place)

    def release(self, transaction: Transaction) -> None:
        places, transaction.locks = transaction.locks, {}
        for place in places:
            self._holders[place].pop(transaction, None)
            if not self._holders[place]:
                del self._holders[place]
        for place in places:
            self._next(place)

    def _next(self, place: Place) -> None:
        queue = self._waiting.get(place)
        while queue:
            waiter = queue[0]
            if not self.lock(place, waiter.transaction, waiter.share, waiter):
                return
            queue.popleft()
            asyncio.get_running_loop().call_soon(waiter.granted, context=OUTSIDE)
        self._waiting.pop(place, None)


class Transaction:
    """What a transaction has written, seen by itself alone until it commits."""

    def __init__(self, database: Database, session: Session | None) -> None:
        self.database = database
        self.session = session
        self.writes: dict[Place, Any] = {}
        self.locks: dict[Place, None] = {}
        self.failed = False
        self.now = database.clock()
        """When it began."""

    def get(self, table: str, key: Any) -> Any:
        if self.writes:
            row = self.writes.get((table, key), self)
            if row is not self:
                return row
        return self.database.table(table).get(key)

    def put(self, table: str, key: Any, row: Any) -> None:
        """Write a row; None takes it away."""
        self.writes[table, key] = row

    def rows(self, table: str) -> Iterable[tuple[Any, Any]]:
        """All keys and rows of a table, in no order that anybody may trust."""
        committed = self.database.table(table)
        mine = {key: row for (name, key), row in self.writes.items() if name == table}
        if not mine:
            return list(committed.items())
        return [(key, row) for key, row in {**committed, **mine}.items() if row is not None]

    def commit(self) -> None:
        for watch in self.database.before_commit:
            watch(self.database, self)
        for (table, key), row in self.writes.items():
            rows = self.database.table(table)
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = row
        try:
            if self.writes:
                for watch in self.database.committed:
                    watch(self.database, self)
        finally:
            self.database.release(self)

    def roll_back(self) -> None:
        self.writes.clear()
        self.database.release(self)
