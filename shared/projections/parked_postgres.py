"""Parked events in PostgreSQL. They are replayed under the lock of their watermark, whose token changes with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from shared.processes.dispatcher import issue
from shared.projections.changes_postgres import PostgresChanges
from shared.projections.member_sets import DURABLY
from shared.projections.parked_store import Parked, Retried, Retry

TOUCH = "update watermark set moved_at = now() where view = $1 and source = $2 and partition = $3"
FIELDS = "view, source, partition, position, stream, type, reason, value, parked_at"
PARKED = f"""
select {FIELDS} from parked
where ($1::text is null or view = $1) and ($2::uuid is null or stream = $2)
  and ($3::text is null or (source, partition, position) = ($3, $4::smallint, $5::bigint))
order by view, source, partition, position limit $6
"""  # noqa: S608 - our own words
PARKED_WITH = f"""
select {FIELDS} from parked
where view = $1 and source = $2 and partition = $3 and (stream = $4 or position = $5)
order by position for update
"""  # noqa: S608 - our own words
UNPARK = "delete from parked where view = $1 and source = $2 and partition = $3 and position = any($4::bigint[])"
KEEP = """
update parked p set reason = u.reason, type = u.type, stream = u.stream
from unnest($4::bigint[], $5::text[], $6::text[], $7::uuid[]) as u(position, reason, type, stream)
where p.view = $1 and p.source = $2 and p.partition = $3 and p.position = u.position
"""


class PostgresParkedEvents(PostgresChanges):
    """Implements `ParkedStore`."""

    async def parked_streams(self, views: Sequence[str]) -> Mapping[str, Collection[UUID]]:
        streams: dict[str, set[UUID]] = {view: set() for view in views}
        query = "select distinct view, stream from parked where view = any($1::text[]) and stream is not null"
        async with self._held.borrow() as connection:
            for row in await connection.fetch(query, views):
                streams[row["view"]].add(row["stream"])
        return streams

    async def parked_counts(self, views: Sequence[str]) -> Mapping[str, int]:
        query = "select view, count(*) as n from parked where view = any($1::text[]) group by view"
        async with self._held.borrow() as connection:
            rows = await connection.fetch(query, views)
        return dict.fromkeys(views, 0) | {row["view"]: row["n"] for row in rows}

    async def parked(
        self,
        view: str | None = None,
        *,
        stream: UUID | None = None,
        position: tuple[str, int, int] | None = None,
        limit: int = 1_000,
    ) -> Sequence[Parked]:
        async with self._held.borrow() as connection:
            rows = await connection.fetch(PARKED, view, stream, *(position or (None, None, None)), limit)
        return [Parked(*row) for row in rows]

    async def replay(self, view: str, parked: Parked, generation: str, retry: Retry) -> Retried:
        where = (view, parked.source, parked.partition)
        async with self._transaction() as connection:
            await connection.execute(DURABLY)
            # A reader that takes this stream for parked waits here, finds its token old and loads anew.
            await connection.execute(TOUCH, *where)
            rows = await connection.fetch(PARKED_WITH, *where, parked.stream, parked.position)
            retried = retry([Parked(*row) for row in rows])
            await issue(connection, retried.commands)
            ordinals = await self._apply(connection, {generation: retried.changes})
            await connection.execute(UNPARK, *where, [each.position for each in retried.folded])
            kept = [(each.position, each.reason, each.type, each.stream) for each in retried.kept]
            if kept:
                await connection.execute(KEEP, *where, *zip(*kept, strict=True))
        self._ordinals.learn(ordinals)
        return retried

    async def dismiss(self, note: Parked) -> bool:
        if note.position > 0:
            return False
        async with self._transaction() as connection:
            await connection.execute(DURABLY)
            done = await connection.execute(UNPARK, note.view, note.source, note.partition, [note.position])
        return done == "DELETE 1"
