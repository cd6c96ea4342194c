"""Read models in PostgreSQL: a batch is one short transaction, and the watermarks go first.

Watermarks are moved by compare-and-set, so a worker that was overtaken stops before it has written anything; then
follow the changes (`changes_postgres.py`) and what is parked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from shared.db import Driver
from shared.processes.dispatcher import issue
from shared.projections.member_sets import Member
from shared.projections.parked_postgres import PostgresParkedEvents
from shared.projections.parked_store import Parked
from shared.projections.store import Batch, Watermark, WatermarkConflict

PREPARE = """
insert into watermark (view, source, partition)
select v, $2, p from unnest($1::text[]) v, unnest($3::smallint[]) p on conflict do nothing
"""
WATERMARKS = """
select view, partition, position, kafka_offset, moved_at from watermark
where view = any($1::text[]) and source = $2 and partition = any($3::smallint[])
"""
MOVE = """
with step as (
    select * from unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::timestamptz[], $6::bigint[],
                         $7::bigint[], $8::timestamptz[])
      as u(view, source, partition, before, token, position, kafka_offset, recorded_at)
), locked as (
    select w.view from watermark w join step using (view, source, partition)
    order by w.view, w.source, w.partition for update of w
)
update watermark w
set position = s.position, kafka_offset = s.kafka_offset, moved_at = now(),
    caught_up_at = case when s.recorded_at is null then w.caught_up_at
        else greatest(case when w.caught_up_at <= now() then w.caught_up_at end,
                      case when s.recorded_at <= now() then s.recorded_at end) end
from step s, (select count(*) from locked) as all_locked
where w.view = s.view and w.source = s.source and w.partition = s.partition
  and w.position = s.before and w.moved_at = s.token
returning w.moved_at
"""
NOTE = """
update watermark w
set caught_up_at = case when w.position >= h.positions[w.partition + 1] then h.at else w.caught_up_at end
from unnest($3::smallint[], $4::bigint[]) as u(partition, position) left join log_head h on h.source = $2
where w.view = any($1::text[]) and w.source = $2 and w.partition = u.partition and w.position >= u.position
"""
PARK = """
insert into parked (view, source, partition, position, stream, type, reason, value)
select * from unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::uuid[], $6::text[], $7::text[],
                     $8::bytea[])
on conflict do nothing
"""


class PostgresReadModelStore(PostgresParkedEvents):
    """Implements `ReadModelStore`; its constructor is that of `PostgresChanges`. A watermark's token is its `moved_at`.

    It keeps up to `connections` of the engine's for itself until it is closed. `issued` is called where commands of
    process managers were written down. With `wait_for_disk=False` batches do not wait for the disk at their commit. If
    PostgreSQL crashes the last of them are lost whole, rows and watermarks together, and are read again; what an
    operator was told stays true.
    """

    async def watermarks(
        self, views: Sequence[str], source: str, partitions: Iterable[int]
    ) -> Mapping[tuple[str, int], Watermark]:
        wanted = list(partitions)
        async with self._held.borrow() as connection:
            rows = await connection.fetch(WATERMARKS, views, source, wanted)
            if len(rows) < len(views) * len(wanted):
                await connection.execute(PREPARE, views, source, wanted)
                rows = await connection.fetch(WATERMARKS, views, source, wanted)
        return {
            (row["view"], row["partition"]): Watermark(row["position"], row["kafka_offset"], row["moved_at"])
            for row in rows
        }

    async def write(self, batch: Batch) -> object:
        moves = [
            (m.view, m.source, m.partition, m.before.position, m.before.token, m.position, m.offset, m.recorded_at)
            for m in batch.moves
        ]
        token: object = None
        ordinals: Mapping[Member, int] = {}
        async with self._transaction() as connection:
            if moves:
                moved = await connection.fetch(MOVE, *zip(*moves, strict=True))
                if len(moved) < len(moves):
                    raise WatermarkConflict(f"{len(moves) - len(moved)} watermarks have moved")
                token = moved[0]["moved_at"]
            ordinals = await self._apply(connection, batch.changes)
            await _park(connection, batch.parked)
            await issue(connection, batch.commands)
        self._ordinals.learn(ordinals)
        if batch.commands:
            self._issued()
        return token

    async def note(self, views: Sequence[str], source: str, positions: Mapping[int, int]) -> None:
        if positions:
            async with self._held.borrow() as connection:
                done = await connection.execute(NOTE, views, source, list(positions), list(positions.values()))
            if done != f"UPDATE {len(views) * len(positions)}":
                raise WatermarkConflict(f"not all watermarks of {source} are where they were")


async def _park(connection: Driver, parked: Sequence[Parked]) -> None:
    rows = [(p.view, p.source, p.partition, p.position, p.stream, p.type, p.reason, p.value) for p in parked]
    if rows:
        await connection.execute(PARK, *zip(*rows, strict=True))
