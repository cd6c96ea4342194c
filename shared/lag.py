"""How far everything is that a service's database knows of: its log, its relay, its views. Asked here and nowhere else.

Ask for readers first and for `heads` last: what is behind may then be told a moment too large, and never too small.
(What an answer of a view says of itself is one snapshot, in `projections/freshness.py`.)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from shared.db import Driver
from shared.log.sql import HEADS

RELAYED = """
select coalesce(c.position, 0) as position
from log_partition p left join relay_checkpoint c on c.partition = p.id order by p.id
"""
WATERMARKS = """
select view, source, partition, position, kafka_offset, moved_at > clock_timestamp() + interval '1 second' as future
from watermark order by view, source, partition
"""
AGES = """
select u.n, extract(epoch from clock_timestamp() - l.recorded_at)::float8 as age
from unnest($1::smallint[], $2::bigint[]) with ordinality as u(partition, position, n)
join log l on l.partition = u.partition and l.position = u.position
"""


async def heads(connection: Driver) -> list[int]:
    """The last position of each partition of the log."""
    return [row["position"] for row in await connection.fetch(HEADS)]


async def now(connection: Driver) -> datetime:
    """What this database's clock says."""
    found: datetime = await connection.fetchval("select clock_timestamp()")
    return found


async def relayed(connection: Driver) -> list[int]:
    """The position up to which the relay has noted that Kafka has each partition."""
    return [row["position"] for row in await connection.fetch(RELAYED)]


async def watermarks(connection: Driver) -> list[asyncpg.Record]:
    """How far each view is in each partition of a source; `future` where that was noted at a time to come."""
    return await connection.fetch(WATERMARKS)


async def ages(connection: Driver, events: Sequence[tuple[int, int]]) -> list[float]:
    """Seconds since each of these was recorded, given as partition and position; 0 where the log has none there."""
    found = [0.0] * len(events)
    if events:
        for row in await connection.fetch(AGES, *zip(*events, strict=True)):
            found[row["n"] - 1] = max(0.0, row["age"])
    return found
