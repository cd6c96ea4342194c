"""What the log says to PostgreSQL. The append locks the rows of the partitions concerned in id order, to the commit.

So positions appear in commit order, and a reader may trust `position > mine`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from shared.db import Driver
from shared.log.port import Append, Position

_ONE = """
with ticket as (
    update log_partition set position = position + 1 where id = $1 returning position
){kept}
insert into log
  (partition, position, stream, version, type, id, community, actor, occurred_at, causation, data, traceparent,
   imported_by)
select $1, position, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 from ticket
returning position
"""
_KEPT = """, kept as (
    insert into vault (community, ref, subject, content) values ($13, $14, $15, $16)
    on conflict (community, ref) do nothing
)"""
ONE = _ONE.format(kept="")
ONE_WITH_WORDS = _ONE.format(kept=_KEPT)

MANY = """
with wanted as (
    select *, row_number() over (partition by partition order by n) as k
    from unnest($1::smallint[], $2::uuid[], $3::int[], $4::text[], $5::uuid[], $6::uuid[], $7::uuid[],
                $8::timestamptz[], $9::uuid[], $10::bytea[], $11::text[], $12::uuid[]) with ordinality
      as u(partition, stream, version, type, id, community, actor, occurred_at, causation, data, traceparent,
           imported_by, n)
), locked as (
    select p.id from log_partition p where p.id in (select partition from wanted) order by p.id for update
), ticket as (
    update log_partition p set position = p.position + w.events
    from (select partition, count(*) as events from wanted group by partition) w,
         (select count(*) from locked) as all_locked
    where p.id = w.partition
    returning p.id, p.position - w.events as base
), kept as (
    insert into vault (community, ref, subject, content)
    select * from unnest($13::uuid[], $14::uuid[], $15::uuid[], $16::bytea[])
    on conflict (community, ref) do nothing
), written as (
    insert into log
      (partition, position, stream, version, type, id, community, actor, occurred_at, causation, data, traceparent,
       imported_by)
    select w.partition, t.base + w.k, w.stream, w.version, w.type, w.id, w.community, w.actor, w.occurred_at,
           w.causation, w.data, w.traceparent, w.imported_by
    from wanted w join ticket t on t.id = w.partition
)
select id, base from ticket
"""
HOLD = "select from log_partition where id = any($1::smallint[]) order by id for update"
"""Nobody appends to these partitions until the transaction ends, so what the next statement sees of them stays true."""
MOVED_ON = """
select g.n from unnest($1::uuid[], $2::int[], $3::int[]) as g(stream, version, n)
where g.version <> coalesce((select max(l.version) from log l where l.stream = g.stream), 0)
"""
WRITTEN = "select id, partition, position from log where stream = $1 and version > $2 order by version limit $3"
FREE = "select id from log_partition where id = any($1::smallint[]) for update skip locked"
WAIT = "select from log_partition where id = $1 for update"

COLUMNS = (
    "partition, position, stream, version, type, id, community, actor, occurred_at, recorded_at, causation, data, "
    "traceparent, imported_by"
)
LOAD = f"select {COLUMNS} from log where stream = $1 and version > $2 order by version"  # noqa: S608 - our own words
# Each stream by itself, so that however the planner guesses it goes by the index of streams.
LOAD_MANY = f"""
select u.n, l.* from unnest($1::uuid[], $2::int[]) with ordinality as u(stream, after, n)
cross join lateral (select {COLUMNS} from log where stream = u.stream and version > u.after order by version) l
order by u.n, l.version
"""  # noqa: S608
FOLLOW = f"select {COLUMNS} from log where partition = $1 and position > $2 order by position limit $3"  # noqa: S608
HEADS = "select position from log_partition order by id"


async def find(connection: Driver, request: Append) -> list[Position] | None:
    """Where an earlier try of this request stands, or None when it was never written."""
    positions: list[Position] = []
    for write in request.writes:
        rows = await connection.fetch(WRITTEN, write.stream, write.expected, len(write.events))
        if [row["id"] for row in rows] != [event.id for event in write.events]:
            return None
        positions += [Position(row["partition"], row["position"]) for row in rows]
    return positions


async def moved_on(connection: Driver, requests: Sequence[Append], partitions: Collection[int]) -> set[int]:
    """Which of these requests, by their number, have a guard that no longer holds.

    `partitions` are those of all that the requests write and guard. They are locked first, all in id order, so the
    answer is true until the transaction ends, in which this must be called.
    """
    await connection.execute(HOLD, sorted(partitions))
    guards = [(guard.stream, guard.version, n) for n, request in enumerate(requests) for guard in request.guards]
    return {row["n"] for row in await connection.fetch(MOVED_ON, *zip(*guards, strict=True))}


async def insert(connection: Driver, requests: Sequence[tuple[Append, Sequence[int]]]) -> list[list[Position]]:
    """Write these requests, each with the partition of each of its writes: one statement, one transaction.

    The positions of each request's events in their order.
    """
    if not requests:
        return []
    rows: list[tuple[Any, ...]] = []
    secrets: list[tuple[Any, ...]] = []
    for request, partitions in requests:
        secrets += [(s.community, s.ref, s.subject, s.content) for s in request.secrets]
        for partition, write in zip(partitions, request.writes, strict=True):
            rows += [
                (
                    partition,
                    write.stream,
                    write.expected + index,
                    event.type,
                    event.id,
                    request.community,
                    request.actor,
                    request.occurred_at,
                    request.causation,
                    event.data,
                    request.traceparent,
                    request.imported_by,
                )
                for index, event in enumerate(write.events, 1)
            ]
    if len(rows) == 1 and len(secrets) <= 1:
        statement, words = (ONE_WITH_WORDS, secrets[0]) if secrets else (ONE, ())
        position = await connection.fetchval(statement, *rows[0], *words)
        return [[Position(rows[0][0], position)]]
    columns = list(zip(*rows, strict=True))
    vault = list(zip(*secrets, strict=True)) or [()] * 4
    next_position = defaultdict[int, int](int)
    for row in await connection.fetch(MANY, *columns, *vault):
        next_position[row["id"]] = row["base"]
    answers = []
    events = iter(rows)
    for request, _ in requests:
        where = []
        for _ in range(sum(len(write.events) for write in request.writes)):
            partition = next(events)[0]
            next_position[partition] += 1
            where.append(Position(partition, next_position[partition]))
        answers.append(where)
    return answers
