"""What the log says to PostgreSQL. The append locks the rows of the partitions concerned in id order, to the commit.

So positions appear in commit order, and a reader may trust `position > mine`. It takes nothing unless each stream is at
the version it was decided on, neither behind nor ahead, and the log is known to agree with its topic. A statement that
waited for the lock still looks at the versions as they were before: then the unique (stream, version) refuses it, and
`lookup.refuse` makes one `VersionConflict` of either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.db import Driver
from shared.log.agreement import DATABASE
from shared.log.keys import KEYED, key_columns
from shared.log.port import Append, Position

_ONE = """
with ticket as (
    update log_partition set position = position + 1
    where id = $1 and agreed = {database} and $3 = 1 + coalesce((select max(version) from log where stream = $2), 0)
    returning position
){kept}
insert into log
  (partition, position, stream, version, type, id, community, actor, occurred_at, causation, data, traceparent,
   imported_by)
select $1, position, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 from ticket
returning position
"""
_KEPT = """, kept as (
    insert into vault (community, ref, subject, content) select $13, $14, $15, $16 from ticket
    on conflict (community, ref) do nothing
)"""
ONE = _ONE.format(database=DATABASE, kept="")
ONE_WITH_WORDS = _ONE.format(database=DATABASE, kept=_KEPT)

_MANY = """
with wanted as (
    select *, row_number() over (partition by partition order by n) as k
    from unnest($1::smallint[], $2::uuid[], $3::int[], $4::text[], $5::uuid[], $6::uuid[], $7::uuid[],
                $8::timestamptz[], $9::uuid[], $10::bytea[], $11::text[], $12::uuid[]) with ordinality
      as u(partition, stream, version, type, id, community, actor, occurred_at, causation, data, traceparent,
           imported_by, n)
), locked as (
    select p.id, p.agreed from log_partition p where p.id in (select partition from wanted) order by p.id for update
), elsewhere as (
    select from (select stream, min(version) as first from wanted group by stream) w
    where w.first <> 1 + coalesce((select max(l.version) from log l where l.stream = w.stream), 0)
), ticket as (
    update log_partition p set position = p.position + w.events
    from (select partition, count(*) as events from wanted group by partition) w,
         (select bool_and(agreed is not distinct from {database}) as agreed from locked) as all_locked
    where p.id = w.partition and all_locked.agreed and not exists (select from elsewhere)
    returning p.id, p.position - w.events as base
), kept as (
    insert into vault (community, ref, subject, content)
    select * from unnest($13::uuid[], $14::uuid[], $15::uuid[], $16::bytea[]) where exists (select from ticket)
    on conflict (community, ref) do nothing
){keyed}, written as (
    insert into log
      (partition, position, stream, version, type, id, community, actor, occurred_at, causation, data, traceparent,
       imported_by)
    select w.partition, t.base + w.k, w.stream, w.version, w.type, w.id, w.community, w.actor, w.occurred_at,
           w.causation, w.data, w.traceparent, w.imported_by
    from wanted w join ticket t on t.id = w.partition
)
select id, base from ticket
"""
MANY = _MANY.format(database=DATABASE, keyed="")
MANY_WITH_KEYS = _MANY.format(database=DATABASE, keyed=KEYED)
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
HEADS = f"select position, agreed is not distinct from {DATABASE} as agreed from log_partition order by id"  # noqa: S608


class NotTaken(Exception):
    """A stream is elsewhere, or the log is not known to agree with its topic; nothing was written."""


async def insert(connection: Driver, requests: Sequence[tuple[Append, Sequence[int]]]) -> list[list[Position]]:
    """Write these requests, each with the partition of each of its writes: one statement, one transaction.

    The positions of each request's events in their order. Raises `NotTaken`.
    """
    if not requests:
        return []
    rows: list[tuple[Any, ...]] = []
    secrets: list[tuple[Any, ...]] = []
    keys = key_columns(request for request, _ in requests)
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
    if len(rows) == 1 and len(secrets) <= 1 and not keys:
        statement, words = (ONE_WITH_WORDS, secrets[0]) if secrets else (ONE, ())
        position = await connection.fetchval(statement, *rows[0], *words)
        if position is None:
            raise NotTaken
        return [[Position(rows[0][0], position)]]
    columns = list(zip(*rows, strict=True))
    vault = list(zip(*secrets, strict=True)) or [()] * 4
    found = await connection.fetch(MANY_WITH_KEYS if keys else MANY, *columns, *vault, *keys)
    next_position = {row["id"]: row["base"] for row in found}
    if not next_position:
        raise NotTaken
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
