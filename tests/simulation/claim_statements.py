"""What the statements on claims mean, found by the constants that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deploy.operations import recover
from shared.log import claims
from tests.simulation.postgres import Locks, Statement, Transaction, Work
from tests.simulation.rows import Row, columns, reads, row_type
from tests.simulation.statements import _known, row_locks

HOLDER = row_type("stream")
HELD = row_type("n", "stream")


def claim_statements() -> dict[str, Statement]:
    """A row is its own key: community, scope, key and the stream that holds it."""

    @reads
    def holders(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        return [HOLDER((key[3],)) for key in sorted(_there(transaction)) if key[:3] == tuple(given)]

    @reads
    def held(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        there = _there(transaction)
        return [HELD((n, key[3])) for n, row in enumerate(columns(given), 1) for key in there if key[:3] == row]

    def release(transaction: Transaction, given: Sequence[Any]) -> Work:
        rows = columns(given)
        yield Locks(row_locks("claim", sorted(rows)))
        for row in rows:
            transaction.put("claim", row, None)
        return f"DELETE {len(rows)}"

    def take(transaction: Transaction, given: Sequence[Any]) -> Work:
        rows = columns(given)
        yield Locks(row_locks("claim", sorted(rows)))
        for row in rows:
            transaction.put("claim", row, row)
        return f"INSERT 0 {len(rows)}"

    def let_go(transaction: Transaction, given: Sequence[Any]) -> Work:
        rows = [key for key in _there(transaction) if key[3] in given[0]]
        yield Locks(row_locks("claim", sorted(rows)))
        for row in rows:
            transaction.put("claim", row, None)
        return f"DELETE {len(rows)}"

    return _known(
        (claims, "HOLDERS", holders),
        (claims, "HELD", held),
        (claims, "RELEASE", release),
        (claims, "TAKE", take),
        (recover, "LET_GO", let_go),
    )


def _there(transaction: Transaction) -> list[Any]:
    return [key for key, _ in transaction.rows("claim")]
