"""What the statements on commands that wait mean, found by the constants that hold them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from shared.processes import dispatcher
from tests.simulation.postgres import Locks, Statement, Transaction, Work
from tests.simulation.rows import Row, columns, reads, row_type, says
from tests.simulation.statements import _known

FIELDS = ("id", "manager", "target", "community", "cause", "occurred_at", "due_at", "command")
WAITING = row_type(*FIELDS, "number", "tries", "reason", "again_at", "dead_at")
DUE = row_type(*FIELDS, "tries")


def command_statements() -> dict[str, Statement]:
    """A row is a command by its id."""
    numbers = itertools.count(1)

    def issue(transaction: Transaction, given: Sequence[Any]) -> Work:
        rows = columns(given)
        yield Locks([("outgoing_command", row[0]) for row in rows])
        for row in rows:
            if transaction.get("outgoing_command", row[0]) is None:
                transaction.put("outgoing_command", row[0], WAITING((*row, next(numbers), 0, None, None, None)))
        return f"INSERT 0 {len(rows)}"

    @reads
    def due(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        under_way, limit = given
        now = transaction.database.clock()
        rows = [row for _, row in transaction.rows("outgoing_command") if row["dead_at"] is None]
        waits = says(dispatcher.DUE, "dead_at is null and due_at <= now()")
        come = [row for row in rows if row["due_at"] <= now or not waits]
        come.sort(key=lambda row: (row["due_at"], row["number"]))
        first: dict[Any, Row] = {}
        for row in come:
            first.setdefault(row["target"] if says(dispatcher.DUE, "before.target = o.target") else None, row)
        return [
            DUE((*(row[field] for field in FIELDS), row["tries"]))
            for row in first.values()
            if row["target"] not in under_way and (row["again_at"] is None or not _pauses(row["again_at"], now))
        ][:limit]

    def done(transaction: Transaction, given: Sequence[Any]) -> Work:
        yield Locks([("outgoing_command", given[0])])
        transaction.put("outgoing_command", given[0], None)
        return "DELETE 1"

    def failed(transaction: Transaction, given: Sequence[Any]) -> Work:
        id_, tries, reason, pause, dead = given
        yield Locks([("outgoing_command", id_)])
        row = transaction.get("outgoing_command", id_)
        if row is None:
            return "UPDATE 0"
        tail = (tries, reason, transaction.now + pause, transaction.now if dead else None)
        transaction.put("outgoing_command", id_, WAITING((*(row[name] for name in (*FIELDS, "number")), *tail)))
        return "UPDATE 1"

    return _known(
        (dispatcher, "ISSUE", issue),
        (dispatcher, "DUE", due),
        (dispatcher, "DONE", done),
        (dispatcher, "FAILED", failed),
    )


def _pauses(again_at: Any, now: Any) -> bool:
    return bool(now < again_at <= now + timedelta(minutes=1))
