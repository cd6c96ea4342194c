"""What the statements of log, lease and relay mean, found by the constants that hold them.

Guards are read off a statement's own words: one that a statement does not say is not kept here either.
"""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from shared import lease
from shared.log import agreement, guards, held_up, lookup
from shared.log import sql as log_sql
from shared.relay import comparison, heads_publisher, session
from tests.simulation.postgres import Database, Locks, Place, Statement, Transaction, Work
from tests.simulation.rows import Row, columns, reads, row_type, says

LOG_ROW = row_type(*log_sql.COLUMNS.split(", "))
NUMBERED_ROW = row_type("n", *log_sql.COLUMNS.split(", "))
GIVEN, WORDS = 12, 16
"""Parameters of an event's row, all columns but the position and when it was recorded; and those with its words."""
POSITION = row_type("position")
HEAD = row_type("position", "agreed")
THERE = row_type("partition", "position", "id")
BASE = row_type("id", "base")
WRITTEN = row_type("id", "partition", "position")
ID = row_type("id")
N = row_type("n")
EPOCH = row_type("epoch")
CHECKPOINT = row_type("partition", "position")
HEADS = row_type("at", "positions", "agreed")
CLOCK = row_type("clock_timestamp")
_LOCK_TIMEOUT = re.compile(r"set (?:local )?lock_timeout = '?(\d+)")
_COMMIT = re.compile(r"set (?:local )?synchronous_commit = (?:on|off)")


class LogIndex:
    """The log of a database by partition and by stream, kept as transactions commit."""

    def __init__(self, database: Database, partitions: int) -> None:
        self.rows: list[dict[int, Row]] = [{} for _ in range(partitions)]
        self.positions: list[list[int]] = [[] for _ in range(partitions)]
        self.streams: dict[UUID, list[tuple[int, Row]]] = {}
        for partition in range(partitions):
            database.table("log_partition")[partition] = 0
        database.committed.append(self._take)
        database.went_back.append(self._read_anew)

    def _take(self, _: Database, transaction: Transaction) -> None:
        written = {key: row for (table, key), row in transaction.writes.items() if table == "log"}
        for partition, position in written:
            before = self.rows[partition].pop(position, None)
            if before is not None:
                self.positions[partition].remove(position)
                self.streams[before["stream"]].remove((before["version"], before))
        for (partition, position), row in written.items():
            if row is not None:
                self._add(partition, position, row)

    def _add(self, partition: int, position: int, row: Row) -> None:
        self.rows[partition][position] = row
        insort(self.positions[partition], position)
        insort(self.streams.setdefault(row["stream"], []), (row["version"], row))

    def _read_anew(self, database: Database) -> None:
        for rows, positions in zip(self.rows, self.positions, strict=True):
            rows.clear()
            positions.clear()
        self.streams.clear()
        for (partition, position), row in database.table("log").items():
            self._add(partition, position, row)

    def stream(self, stream: UUID, after: int) -> list[Row]:
        return [row for version, row in self.streams.get(stream, ()) if version > after]

    def follow(self, partition: int, after: int, limit: int) -> list[Row]:
        rows, last = self.rows[partition], self.positions[partition]
        if not last or last[-1] <= after:
            return []
        return [rows[position] for position in last if position > after][:limit]


def log_statements(index: LogIndex) -> dict[str, Statement]:
    """By their text. `MANY` and `ONE` lock their partitions first, and the stream's versions as an index would."""

    def begins_elsewhere(sql: str, rows: Sequence[Sequence[Any]]) -> bool:
        """Whether one of these streams is not at the version before its first row, as seen when a statement begins."""
        if not says(sql, "coalesce((select max("):
            return False
        first: dict[UUID, int] = {}
        for _, stream, version, *_ in rows:
            first[stream] = min(version, first.get(stream, version))
        return any(version != 1 + len(index.stream(stream, 0)) for stream, version in first.items())

    def one(transaction: Transaction, given: Sequence[Any]) -> Work:
        elsewhere = begins_elsewhere(log_sql.ONE, [given])
        yield Locks([("log_partition", given[0])])
        if elsewhere or not agreed(transaction, log_sql.ONE):
            return []
        position = transaction.get("log_partition", given[0]) + 1
        transaction.put("log_partition", given[0], position)
        if given[GIVEN:]:
            keep(transaction, given[GIVEN:])
        yield from _insert(transaction, index, position, given[:GIVEN])
        return [POSITION((position,))]

    def keep(transaction: Transaction, words: Sequence[Any]) -> None:
        community, ref, subject, content = words
        if transaction.get("vault", (community, ref)) is None:
            transaction.put("vault", (community, ref), (subject, content))

    def take_key(transaction: Transaction, key: UUID) -> Work:
        yield Locks([("idempotency_key", key)])
        if transaction.get("idempotency_key", key) is not None:
            raise _violated("pk_idempotency_key")
        transaction.put("idempotency_key", key, ())

    def many(transaction: Transaction, given: Sequence[Any]) -> Work:
        rows = columns(given[:GIVEN])
        partitions = sorted({row[0] for row in rows})
        elsewhere = begins_elsewhere(log_sql.MANY, rows)
        yield Locks([("log_partition", partition) for partition in partitions])
        if elsewhere or not agreed(transaction, log_sql.MANY):
            return []
        base = {partition: transaction.get("log_partition", partition) for partition in partitions}
        for words in columns(given[GIVEN:WORDS]):
            keep(transaction, words)
        for key, *_ in columns(given[WORDS:]):
            yield from take_key(transaction, key)
        last = dict(base)
        for row in rows:
            last[row[0]] += 1
            yield from _insert(transaction, index, last[row[0]], row)
        for partition, position in last.items():
            transaction.put("log_partition", partition, position)
        return [BASE(each) for each in base.items()]

    def hold(_: Transaction, given: Sequence[Any]) -> Work:
        yield Locks([("log_partition", partition) for partition in given[0]])
        return "SELECT"

    def outdated(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        def version(stream: UUID) -> int:
            mine = [row for (table, _), row in transaction.writes.items() if table == "log" and row["stream"] == stream]
            return len(index.stream(stream, 0)) + len(mine)

        return [N((n,)) for stream, expected, n in zip(*given, strict=True) if version(stream) != expected]

    @reads
    def written(_: Transaction, given: Sequence[Any]) -> list[Row]:
        rows = index.stream(given[0], given[1])[: given[2]]
        return [WRITTEN((row["id"], row["partition"], row["position"])) for row in rows]

    def free(_: Transaction, given: Sequence[Any]) -> Work:
        got = yield Locks([("log_partition", partition) for partition in given[0]], skip=True)
        return [ID((partition,)) for _, partition in got]

    def wait(_: Transaction, given: Sequence[Any]) -> Work:
        yield Locks([("log_partition", given[0])])
        return [()]

    @reads
    def load_many(_: Transaction, given: Sequence[Any]) -> list[Row]:
        asked = enumerate(zip(*given, strict=True), 1)
        return [NUMBERED_ROW((n, *row)) for n, (stream, after) in asked for row in index.stream(stream, after)]

    @reads
    def heads(transaction: Transaction, _: Sequence[Any]) -> list[Row]:
        known = agreed(transaction, log_sql.HEADS)
        return [HEAD((position, known)) for _, position in sorted(transaction.rows("log_partition"))]

    def agree(transaction: Transaction, _: Sequence[Any]) -> Work:
        yield Locks(row_locks("log_partition", sorted(transaction.database.table("log_partition"))))
        transaction.put("agreed", None, transaction.database.started)
        return "UPDATE"

    def disagree(transaction: Transaction, _: Sequence[Any]) -> Work:
        yield Locks(row_locks("log_partition", sorted(transaction.database.table("log_partition"))))
        transaction.put("agreed", None, None)
        return "UPDATE"

    @reads
    def there(_: Transaction, given: Sequence[Any]) -> list[Row]:
        asked = zip(*given, strict=True)
        return [THERE((p, at, index.rows[p][at]["id"])) for p, at in asked if at in index.rows[p]]

    def take(transaction: Transaction, given: Sequence[Any]) -> Work:
        yield Locks([("log_partition", given[0])])
        position = transaction.get("log_partition", given[0]) + 1
        transaction.put("log_partition", given[0], position)
        return [POSITION((position,))]

    def keep_keys(transaction: Transaction, given: Sequence[Any]) -> Work:
        for key in sorted(given[0]):
            yield Locks([("idempotency_key", key)])
            transaction.put("idempotency_key", key, ())
        return "INSERT"

    @reads
    def used(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        return [ID((key,)) for key in given[0] if transaction.get("idempotency_key", key) is not None]

    def place(transaction: Transaction, given: Sequence[Any]) -> Work:
        yield from _insert(transaction, index, given[1], (given[0], *given[2:]))
        return "INSERT 0 1"

    return {
        **_known(
            (log_sql, "ONE", one),
            (log_sql, "ONE_WITH_WORDS", one),
            (log_sql, "MANY", many),
            (log_sql, "MANY_WITH_KEYS", many),
            (guards, "HOLD", hold),
            (guards, "OUTDATED", outdated),
            (lookup, "WRITTEN", written),
            (held_up, "FREE", free),
            (held_up, "WAIT", wait),
            (log_sql, "LOAD", reads(lambda _, given: index.stream(given[0], given[1]))),
            (log_sql, "LOAD_MANY", load_many),
            (log_sql, "FOLLOW", reads(lambda _, given: index.follow(*given))),
            (log_sql, "HEADS", heads),
            (agreement, "AGREE", agree),
            (agreement, "DISAGREE", disagree),
            (comparison, "THERE", there),
            # What somebody would write who gives out the position before the event is there, or keeps a key after it.
            (log_sql, "TAKE_POSITION", take),
            (log_sql, "PUT_AT_POSITION", place),
            (log_sql, "KEEP_KEYS", keep_keys),
            (lookup, "USED", used),
        )
    }


def agreed(transaction: Transaction, sql: str) -> bool:
    """Whether the log is known to hold what its topic holds, where the statement asks for that."""
    return not says(sql, "agreed") or transaction.get("agreed", None) == transaction.database.started


def _insert(transaction: Transaction, index: LogIndex, position: int, given: Sequence[Any]) -> Work:
    partition, stream, version, kind, event_id, community, actor, occurred_at, causation, *rest = given
    yield Locks([("log.position", (partition, position)), ("log.version", (stream, version))])
    mine = any(
        table == "log" and row["stream"] == stream and row["version"] == version
        for (table, _), row in transaction.writes.items()
    )
    if mine or any(known == version for known, _ in index.streams.get(stream, ())):
        raise _violated("uq_log_stream_version")
    if position in index.rows[partition]:
        raise _violated("pk_log")
    row = (partition, position, stream, version, kind, event_id, community, actor, occurred_at, transaction.now)
    transaction.put("log", (partition, position), LOG_ROW((*row, causation, *rest)))


def _violated(constraint: str) -> asyncpg.UniqueViolationError:
    error = asyncpg.UniqueViolationError(f'duplicate key value violates unique constraint "{constraint}"')
    error.constraint_name = constraint
    return error


def lease_statements() -> dict[str, Statement]:
    """A lease's row is `(epoch, holder, expires_at)`."""

    def acquire(transaction: Transaction, given: Sequence[Any]) -> Work:
        name, holder, seconds = given
        yield Locks([("lease", name)])
        now, held = transaction.database.clock(), transaction.get("lease", name)
        duration = timedelta(seconds=seconds)
        epoch = 1
        if held is not None:
            free = held[1] is None or held[2] <= now
            if says(lease.ACQUIRE, "lease.expires_at > clock_timestamp() + $3"):
                free = free or held[2] > now + duration
            if says(lease.ACQUIRE, "where lease.holder is null or lease.expires_at <=") and not free:
                return []
            epoch = held[0] + 1
        transaction.put("lease", name, (epoch, holder, now + duration))
        return [EPOCH((epoch,))]

    def renew(transaction: Transaction, given: Sequence[Any]) -> Work:
        yield Locks([("lease", given[0])])
        held = transaction.get("lease", given[0])
        if held is None or (says(lease.RENEW, "epoch = $2 and holder = $3") and held[:2] != tuple(given[1:3])):
            return []
        expires_at = transaction.database.clock() + timedelta(seconds=given[3])
        transaction.put("lease", given[0], (held[0], held[1], expires_at))
        return [EPOCH((held[0],))]

    def release(transaction: Transaction, given: Sequence[Any]) -> Work:
        yield Locks([("lease", given[0])])
        held = transaction.get("lease", given[0])
        if held is None or held[:2] != tuple(given[1:3]):
            return "UPDATE 0"
        transaction.put("lease", given[0], (held[0], None, transaction.database.clock()))
        return "UPDATE 1"

    return _known(
        (lease, "ACQUIRE", acquire), (lease, "RENEW", renew), (lease, "RELEASE", release), (lease, "HELD", _held)
    )


def _held(transaction: Transaction, given: Sequence[Any]) -> Work:
    if says(lease.HELD, "for share"):
        yield Locks([("lease", given[0])], share=True)
    held = transaction.get("lease", given[0])
    if held is None or (says(lease.HELD, "epoch = $2 and holder = $3") and held[:2] != tuple(given[1:3])):
        return []
    return [EPOCH((held[0],))]


def relay_statements(index: LogIndex) -> dict[str, Statement]:
    @reads
    def checkpoints(transaction: Transaction, _: Sequence[Any]) -> list[Row]:
        return [CHECKPOINT(each) for each in sorted(transaction.rows("relay_checkpoint"))]

    def move(transaction: Transaction, given: Sequence[Any]) -> Work:
        if says(session.MOVE, lease.HELD.strip()) and not (yield from _held(transaction, given[:3])):
            return "INSERT 0 0"
        transaction.put("relay.by", None, tuple(given[:3]))  # for the oracle: who says so
        yield Locks([("relay_checkpoint", partition) for partition in sorted(given[3])])
        for partition, position in zip(given[3], given[4], strict=True):
            transaction.put("relay_checkpoint", partition, position)
        return f"INSERT 0 {len(given[3])}"

    @reads
    def heads(transaction: Transaction, _: Sequence[Any]) -> list[Row]:
        of_log = not says(heads_publisher.HEADS, "from relay_checkpoint")
        rows = dict(transaction.rows("log_partition" if of_log else "relay_checkpoint"))
        positions = [rows.get(partition, 0) for partition in range(len(index.positions))]
        return [HEADS((transaction.database.clock(), positions, agreed(transaction, heads_publisher.HEADS)))]

    @reads
    def clock(transaction: Transaction, _: Sequence[Any]) -> list[Row]:
        return [CLOCK((transaction.database.clock(),))]

    return {
        "select clock_timestamp()": clock,
        **_known((comparison, "CHECKPOINTS", checkpoints), (session, "MOVE", move), (heads_publisher, "HEADS", heads)),
    }


def _known(*entries: tuple[Any, str, Callable[..., Any]]) -> dict[str, Statement]:
    """By text, those of the constants that are there."""
    return {getattr(module, name): meaning for module, name, meaning in entries if hasattr(module, name)}


def set_lock_timeout(sql: str) -> Statement | None:
    """`set lock_timeout = milliseconds`."""
    found = _LOCK_TIMEOUT.match(sql)
    if found is None:
        return None
    seconds = int(found[1]) / 1000

    def meaning(transaction: Transaction, _: Sequence[Any]) -> str:
        assert transaction.session is not None
        transaction.session.lock_timeout = seconds
        return "SET"

    return meaning


def set_commit(sql: str) -> Statement | None:
    """A simulated server never loses what it has committed; `tests/shared/projections/test_crash.py` kills a real
    one."""
    return (lambda _, __: "SET") if _COMMIT.match(sql) else None


def finder(*known: dict[str, Statement], also: Callable[[str], Statement | None]) -> Callable[[str], Statement]:
    """Looks a statement up by its text. Raises for one that nobody has said the meaning of."""
    statements = {sql: meaning for each in known for sql, meaning in each.items()}

    def find(sql: str) -> Statement:
        meaning = statements.get(sql)
        if meaning is None:
            meaning = set_lock_timeout(sql) or set_commit(sql) or also(sql)
            if meaning is None:
                text = " ".join(sql.split())
                raise UnknownStatement(
                    f"The simulated PostgreSQL does not know this statement: {text}. Say in tests/simulation/"
                    "statements.py or view_statements.py what it does to rows and locks."
                )
            statements[sql] = meaning
        return meaning

    return find


class UnknownStatement(Exception):
    """The kernel says something to PostgreSQL that the fake does not understand."""


def row_locks(table: str, keys: Sequence[Any]) -> list[Place]:
    """The locks of these rows, in the order given."""
    return [(table, key) for key in keys]
