"""What the statements of view store and member sets mean, found by the constants that hold them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.projections import freshness, heads, member_sets, parked_postgres, store_postgres
from tests.simulation.postgres import Locks, Statement, Transaction, Work
from tests.simulation.rows import Row, columns, reads, row_type, says
from tests.simulation.statements import _known, row_locks

WATERMARK = row_type("view", "partition", "position", "kafka_offset", "moved_at")
MOVED = row_type("moved_at")
TOPIC = row_type("source", "partition", "position", "views", "head", "at", "caught_up_at", "now")
PARKED = row_type(*parked_postgres.FIELDS.split(", "))
ORDINAL = row_type("community", "member", "ordinal")
STREAMS = "select distinct view, stream from parked where view = any($1::text[]) and stream is not null"
COUNTS = "select view, count(*) as n from parked where view = any($1::text[]) group by view"


def watermark_statements() -> dict[str, Statement]:
    """A watermark's row is `(position, kafka_offset, moved_at, caught_up_at)` by view, source and partition."""

    @reads
    def watermarks(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        views, source, partitions = given
        found = []
        for view in views:
            for partition in partitions:
                row = transaction.get("watermark", (view, source, partition))
                if row is not None:
                    found.append(WATERMARK((view, partition, *row[:3])))
        return found

    def prepare(transaction: Transaction, given: Sequence[Any]) -> Work:
        keys = [(view, given[1], partition) for view in given[0] for partition in given[2]]
        yield Locks(row_locks("watermark", keys))
        for key in keys:
            if transaction.get("watermark", key) is None:
                transaction.put("watermark", key, (0, None, transaction.now, None))
        return f"INSERT 0 {len(keys)}"

    def move(transaction: Transaction, given: Sequence[Any]) -> Work:
        steps = {row[:3]: row[3:] for row in columns(given)}
        yield Locks(row_locks("watermark", sorted(steps)))
        moved = []
        for key, (before, token, position, offset, recorded_at) in steps.items():
            row = transaction.get("watermark", key)
            if row is None:
                continue
            if says(store_postgres.MOVE, "w.position = s.before") and row[0] != before:
                continue
            if says(store_postgres.MOVE, "w.moved_at = s.token") and row[2] != token:
                continue
            caught_up = row[3]
            if recorded_at is not None:
                before = caught_up if caught_up is not None and caught_up <= transaction.now else None
                caught_up = _latest(before, recorded_at if recorded_at <= transaction.now else None)
            transaction.put("watermark", key, (position, offset, transaction.now, caught_up))
            moved.append(MOVED((transaction.now,)))
        return moved

    def note(transaction: Transaction, given: Sequence[Any]) -> Work:
        views, source, partitions, positions = given
        keys = [
            ((view, source, partition), position)
            for view in views
            for partition, position in sorted(zip(partitions, positions, strict=True))
        ]
        yield Locks(row_locks("watermark", [key for key, _ in keys]))
        updated = 0
        told = transaction.get("log_head", source)
        guarded = says(store_postgres.NOTE, "w.position >= h.positions[w.partition + 1]")
        for key, position in keys:
            row = transaction.get("watermark", key)
            if row is not None and row[0] >= position:
                if told is not None and (not guarded or row[0] >= told[1][key[2]]):
                    transaction.put("watermark", key, (*row[:3], told[0]))
                updated += 1
        return f"UPDATE {updated}"

    def touch(transaction: Transaction, given: Sequence[Any]) -> Work:
        yield Locks([("watermark", tuple(given))])
        row = transaction.get("watermark", tuple(given))
        if row is not None:
            transaction.put("watermark", tuple(given), (*row[:2], transaction.now, row[3]))
        return "UPDATE 1"

    return _known(
        (store_postgres, "WATERMARKS", watermarks),
        (store_postgres, "PREPARE", prepare),
        (store_postgres, "MOVE", move),
        (store_postgres, "NOTE", note),
        (parked_postgres, "TOUCH", touch),
    )


def heads_statements() -> dict[str, Statement]:
    """A row of heads is `(at, positions)` by source."""

    def keep(transaction: Transaction, given: Sequence[Any]) -> Work:
        source, at, positions, bound = given
        if at > transaction.now + timedelta(seconds=bound):
            return "INSERT 0 0"
        yield Locks([("log_head", source)])
        row, at = transaction.get("log_head", source), min(at, transaction.now)
        guarded = says(heads.KEEP, "where excluded.at >= h.at or h.at > now()")
        if row is None or not guarded or at >= row[0] or row[0] > transaction.now:
            transaction.put("log_head", source, (at, tuple(positions)))
        return "INSERT 0 1"

    @reads
    def topics(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        views, sources, partitions = given
        found = []
        for source in sources:
            told = transaction.get("log_head", source)
            for partition in range(partitions):
                rows = [transaction.get("watermark", (view, source, partition)) for view in views]
                rows = [row for row in rows if row is not None]
                noted = [row[3] for row in rows if row[3] is not None]
                found.append(
                    TOPIC(
                        (
                            source,
                            partition,
                            min((row[0] for row in rows), default=None),
                            len(rows),
                            None if told is None else told[1][partition],
                            None if told is None else told[0],
                            min(noted) if noted and len(noted) == len(rows) else None,
                            transaction.database.clock(),
                        )
                    )
                )
        return found

    return _known((heads, "KEEP", keep), (freshness, "TOPICS", topics))


def _latest(one: Any, other: Any) -> Any:
    return max((each for each in (one, other) if each is not None), default=None)


def parked_statements() -> dict[str, Statement]:
    """A parked event's row is that of the table, by view, source, partition and position."""

    def park(transaction: Transaction, given: Sequence[Any]) -> Work:
        for row in columns(given):
            yield Locks([("parked", row[:4])])
            if transaction.get("parked", row[:4]) is None:
                transaction.put("parked", row[:4], PARKED((*row, transaction.now)))
        return "INSERT 0 1"

    def found(transaction: Transaction, keep: Callable[[Row], bool]) -> list[Row]:
        return sorted((row for _, row in transaction.rows("parked") if keep(row)), key=lambda row: row[:4])

    @reads
    def parked(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        view, stream, *place, limit = given
        return found(
            transaction,
            lambda row: (
                view in (None, row[0])
                and stream in (None, row["stream"])
                and (place[0] is None or row[1:4] == tuple(place))
            ),
        )[:limit]

    def parked_with(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        return found(
            transaction,
            lambda row: (
                row[:3] == tuple(given[:3])
                and ((given[3] is not None and row["stream"] == given[3]) or row[3] == given[4])
            ),
        )

    def unpark(transaction: Transaction, given: Sequence[Any]) -> Work:
        keys = [(*given[:3], position) for position in given[3]]
        yield Locks(row_locks("parked", sorted(keys)))
        there = [key for key in keys if transaction.get("parked", key) is not None]
        for key in there:
            transaction.put("parked", key, None)
        return f"DELETE {len(there)}"

    def keep(transaction: Transaction, given: Sequence[Any]) -> str:
        for position, reason, kind, stream in columns(given[3:]):
            key = (*given[:3], position)
            row = transaction.get("parked", key)
            if row is not None:
                transaction.put("parked", key, PARKED((*row[:4], stream, kind, reason, *row[7:])))
        return "UPDATE"

    @reads
    def streams(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        rows = found(transaction, lambda row: row["view"] in given[0] and row["stream"] is not None)
        kind = row_type("view", "stream")
        return [kind(each) for each in dict.fromkeys((row["view"], row["stream"]) for row in rows)]

    @reads
    def counts(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        kind = row_type("view", "n")
        views = [row["view"] for row in found(transaction, lambda row: row["view"] in given[0])]
        return [kind((view, views.count(view))) for view in dict.fromkeys(views)]

    return {
        STREAMS: streams,
        COUNTS: counts,
        **_known(
            (store_postgres, "PARK", park),
            (parked_postgres, "PARKED", parked),
            (parked_postgres, "PARKED_WITH", parked_with),
            (parked_postgres, "UNPARK", unpark),
            (parked_postgres, "KEEP", keep),
        ),
    }


def ordinal_statements() -> dict[str, Statement]:
    def lock(_: Transaction, given: Sequence[Any]) -> Work:
        yield Locks([("advisory", community) for community in sorted(set(given[0]))])
        return [()]

    @reads
    def find(transaction: Transaction, given: Sequence[Any]) -> list[Row]:
        found = ((key, transaction.get("member_ordinal", key)) for key in columns(given))
        return [ORDINAL((*key, ordinal)) for key, ordinal in found if ordinal is not None]

    def give(transaction: Transaction, given: Sequence[Any]) -> str:
        last: dict[UUID, int] = {}
        for (community, _), ordinal in transaction.rows("member_ordinal"):
            last[community] = max(last.get(community, 0), ordinal)
        for key in sorted(columns(given)):
            if transaction.get("member_ordinal", key) is None:
                last[key[0]] = last.get(key[0], 0) + 1
                transaction.put("member_ordinal", key, last[key[0]])
        return "INSERT"

    @reads
    def everybody(transaction: Transaction, _: Sequence[Any]) -> list[Row]:
        kind = row_type("community", "ordinal", "member")
        return [kind((c, ordinal, m)) for (c, m), ordinal in transaction.rows("member_ordinal")]

    return {
        "select community, ordinal, member from member_ordinal": everybody,
        **_known((member_sets, "LOCK", lock), (member_sets, "FIND", find), (member_sets, "GIVE", give)),
    }
