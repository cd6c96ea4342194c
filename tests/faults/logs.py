"""Logs on a database of their own, for scenarios that need no processes: as many as there would be replicas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from shared.db import create_engine
from shared.log.port import Append, NewEvent, Write, partition_of
from shared.log.postgres import CONNECTIONS, PostgresLog
from shared.settings import Settings
from shared.tables import service_metadata
from tests.databases import fresh_database
from tests.shared.log.log_conformance import event
from tests.shared.toy import ALICE, COMMUNITY, NOON
from tests.stack import Stack

PARTITIONS = 12


@asynccontextmanager
async def logs(stack: Stack, count: int) -> AsyncIterator[tuple[Settings, list[PostgresLog]]]:
    """Settings that point at a new database, and so many logs on it, each with connections of its own."""
    async with fresh_database(stack, service_metadata(facts=True)) as settings, AsyncExitStack() as resources:
        made = []
        for _ in range(count):
            engine = create_engine(settings, "toy", connections=CONNECTIONS)
            resources.push_async_callback(engine.dispose)
            log = PostgresLog(engine, "toy", PARTITIONS)
            await log.start()
            resources.push_async_callback(log.close)
            made.append(log)
        yield settings, made


def fresh(stream: UUID, events: int) -> tuple[Append, Sequence[int]]:
    """The first events of a new stream, with the partition of its one write."""
    news: tuple[NewEvent, ...] = tuple(event() for _ in range(events))
    return Append(COMMUNITY, ALICE, NOON, None, (Write(stream, 0, news),)), [partition_of(stream, PARTITIONS)]


def stream_in(partition: int, number: int) -> UUID:
    """A stream of that partition, another one for each number."""
    return UUID(int=(1 << 80) + number * PARTITIONS + (partition - (1 << 80)) % PARTITIONS)
