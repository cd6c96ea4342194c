"""One service's database and topic, the relays that run between them, and how far those have come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import create_engine
from shared.events.envelope import from_wire
from shared.kafka.topics import ensure_topics
from shared.log.port import partition_of
from shared.log.postgres import PostgresLog
from shared.relay.relay import Relay
from shared.settings import Settings
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.source import BEGINNING

PARTITIONS = 12
FILL = """
with made as (
    select n, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as stream from generate_series(0, $1 - 1) n
)
insert into log (partition, position, stream, version, type, id, community, occurred_at, data)
select n % 12, n / 12 + 1, stream, 1, 'guildhall.toy.deposited.v1', gen_random_uuid(), gen_random_uuid(), now(),
       convert_to(json_build_object('amount', n)::text, 'UTF8')
from made
"""


class System:
    """One service's database and topic, and the relays that run between them."""

    def __init__(self, settings: Settings, service: str, engine: AsyncEngine, log: PostgresLog) -> None:
        self.settings, self.service, self.engine, self.log = settings, service, engine, log

    async def sql(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.settings.database_url)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    async def fill(self, events: int) -> None:
        """That many events, a multiple of the partitions, as appends would have left them."""
        await self.sql(FILL, events)
        await self.sql("update log_partition p set position = (select count(*) from log l where l.partition = p.id)")

    async def checkpoints(self) -> list[int]:
        return [row["position"] for row in await self.sql("select position from relay_checkpoint order by partition")]

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[Relay]:
        relay = Relay(self.log, self.engine, self.settings)
        running = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def topic(self, events: int) -> dict[int, list[int]]:
        """The positions on the topic, by partition, in its order and with repeats; at least so many of each."""
        source = KafkaSource(self.settings, self.service)
        await source.start(dict.fromkeys(range(PARTITIONS), BEGINNING))
        found: dict[int, list[int]] = {partition: [] for partition in range(PARTITIONS)}
        until = time.monotonic() + 20
        while True:
            messages = await source.read(5000, 0.3)
            for message in messages:
                assert message.value is not None
                record = from_wire(message.value)
                assert record.partition == message.partition == partition_of(record.stream, PARTITIONS)
                found[message.partition].append(record.position)
            whole = all(max(each, default=0) >= events for each in found.values())
            if (whole and not messages) or time.monotonic() > until:
                await source.close()
                return found


@asynccontextmanager
async def made(settings: Settings) -> AsyncIterator[System]:
    service = f"toy{uuid4().hex[:8]}"
    engine = create_engine(settings, service)
    log = PostgresLog(engine, service, PARTITIONS)
    await log.start()
    await ensure_topics(settings, [service])
    yield System(settings, service, engine, log)
    await log.close()
    await engine.dispose()


def read(found: list[int]) -> list[int]:
    """What a reader makes of positions: it skips those it has and stops at a hole."""
    known = 0
    for position in found:
        if position == known + 1:
            known = position
    return list(range(1, known + 1))


def every(last: int) -> dict[int, list[int]]:
    return {partition: list(range(1, last + 1)) for partition in range(PARTITIONS)}


async def until(condition: Callable[[], bool | Awaitable[bool]], within: float = 20) -> float:
    """Seconds until the condition holds; fails after `within`."""
    began = time.monotonic()
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return time.monotonic() - began
        assert time.monotonic() - began < within, "it did not come to be"
        await asyncio.sleep(0.005)


def caught_up(relay: Relay, position: int) -> Callable[[], bool]:
    return lambda: relay.state.state == "caught-up" and list(relay.state.positions) == [position] * PARTITIONS
