"""What the statements of `guildhall recover` mean, found by the constants that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deploy.operations import recover, take_back
from tests.simulation.postgres import Locks, Statement, Transaction, Work
from tests.simulation.rows import Row, columns, reads, row_type
from tests.simulation.statements import LOG_ROW, LogIndex, _known, _violated, row_locks

WRITABLE = "set default_transaction_read_only = off"
ID_AT = row_type("position", "id")
COUNT = row_type("count")
THERE = row_type("there")
MARK = row_type("view", "partition", "position")
_ALL = 1 << 62


def recover_statements(index: LogIndex) -> dict[str, Statement]:
    """They write within a transaction that holds the partitions, so they see the log as it is committed, and their own
    rows.
    """

    @reads
    def ids(_: Transaction, given: Sequence[Any]) -> list[Row]:
        partition, first = given
        return [ID_AT((row["position"], row["id"])) for row in index.follow(partition, first - 1, _ALL)]

    @reads
    def behind(_: Transaction, given: Sequence[Any]) -> list[Row]:
        return index.follow(given[0], given[1], _ALL)

    def take_away(transaction: Transaction, given: Sequence[Any]) -> str:
        rows = index.follow(given[0], given[1], _ALL)
        for row in rows:
            transaction.put("log", (given[0], row["position"]), None)
        return f"DELETE {len(rows)}"

    def put_back(transaction: Transaction, given: Sequence[Any]) -> Work:
        rows = [LOG_ROW(row) for row in columns(given)]
        yield Locks(row_locks("log.version", [(row["stream"], row["version"]) for row in rows]))
        mine = [row for (table, _), row in transaction.writes.items() if table == "log" and row is not None]
        taken = {(row["stream"], row["version"]) for row in mine}
        for row in rows:
            key = (row["partition"], row["position"])
            if transaction.get("log", key) is not None:
                raise _violated("pk_log")
            there = [each for version, each in index.streams.get(row["stream"], ()) if version == row["version"]]
            stays = [each for each in there if transaction.get("log", (each["partition"], each["position"])) == each]
            if stays or (row["stream"], row["version"]) in taken:
                raise _violated("uq_log_stream_version")
            taken.add((row["stream"], row["version"]))
            transaction.put("log", key, row)
        return f"INSERT 0 {len(rows)}"

    def head(transaction: Transaction, given: Sequence[Any]) -> str:
        transaction.put("log_partition", given[0], given[1])
        return "UPDATE 1"

    def read_again(transaction: Transaction, given: Sequence[Any]) -> Work:
        source, partitions = given
        keys = [key for key, _ in transaction.rows("watermark") if key[1] == source and key[2] in partitions]
        yield Locks(row_locks("watermark", keys))
        for key in keys:
            row = transaction.get("watermark", key)
            transaction.put("watermark", key, (*row[:2], transaction.now, row[3]))
        return f"UPDATE {len(keys)}"

    @reads
    def words(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        return [COUNT((sum(transaction.get("vault", key) is None for key in columns(given)),))]

    def marks(transaction: Transaction, given: Sequence[Any]) -> Work:
        found = sorted((key[0], key[2], row[0]) for key, row in transaction.rows("watermark") if key[1] == given[0])
        yield Locks(row_locks("watermark", [(view, given[0], partition) for view, partition, _ in found]))
        again = [
            (view, partition, transaction.get("watermark", (view, given[0], partition))) for view, partition, _ in found
        ]
        return [MARK((view, partition, row[0])) for view, partition, row in again]

    def begin_anew(transaction: Transaction, given: Sequence[Any]) -> str:
        keys = [key for key, _ in transaction.rows("watermark") if key[0] == given[0]]
        for key in keys:
            transaction.put("watermark", key, (0, None, transaction.now, None))
        return f"UPDATE {len(keys)}"

    def unpark(transaction: Transaction, given: Sequence[Any]) -> str:
        keys = [key for key, _ in transaction.rows("parked") if key[0] == given[0]]
        for key in keys:
            transaction.put("parked", key, None)
        return f"DELETE {len(keys)}"

    return {
        WRITABLE: reads(lambda *_: "SET"),
        **_known(
            (recover, "IDS", ids),
            (recover, "BEHIND", behind),
            (recover, "TAKE_AWAY", take_away),
            (recover, "PUT_BACK", put_back),
            (recover, "HEAD", head),
            (recover, "WORDS", words),
            (take_back, "MARKS", marks),
            (take_back, "READ_AGAIN", read_again),
            (take_back, "BEGIN_ANEW", begin_anew),
            (take_back, "UNPARK", unpark),
            (take_back, "THERE", reads(lambda *_: [THERE((True,))])),
        ),
    }
