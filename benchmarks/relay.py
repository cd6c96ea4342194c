"""The relay with its checkpoint in the database, beside aiokafka's `send_batch` of the very same bytes.

The limit has its records ready in memory and remembers nothing: what the relay adds is reading the log, encoding the
envelope, and a durable checkpoint. For comparison, Debezium's outbox did 39,800 events a second on such a machine.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from uuid import UUID, uuid5

import asyncpg
from pydantic import SecretStr

from benchmarks.history import COMMUNITY, START
from benchmarks.log import DATA, TYPE
from benchmarks.measuring import Load, Result, against, at_least, choose, until
from benchmarks.topics import Record, new_topics, producer, record_of, send_all
from shared.db import create_engine
from shared.events.event import Recorded
from shared.kafka.signature import Signatures
from shared.kafka.topics import topic_of
from shared.log.port import partition_of
from shared.log.postgres import PostgresLog
from shared.relay.relay import Relay
from shared.relay.session import SLICE
from shared.settings import Settings
from shared.tables import service_metadata
from tests.databases import fresh_database
from tests.stack import Stack

COLUMNS = [
    "partition",
    "position",
    "stream",
    "version",
    "type",
    "id",
    "community",
    "occurred_at",
    "recorded_at",
    "data",
]

_rounds = count()
Partitions = dict[int, list[Recorded]]


async def measure(stack: Stack) -> list[Result]:
    async with fresh_database(stack, service_metadata(facts=True)) as unsigned:
        settings = unsigned.model_copy(update={"record_secret": SecretStr("measured")})
        signatures = Signatures(settings, "measured")
        log = _events(choose(100_000, 500_000), settings.partitions)
        await _fill(settings, log)
        ready = {partition: [record_of(event, signatures) for event in events] for partition, events in log.items()}
        ours, plain = await against(lambda: _relay(settings), lambda: _send(settings, ready), choose(3, 5))
    return [at_least("relay, checkpoint durable", ours.rate, plain.rate, 0.3)]


def _events(number: int, partitions: int) -> Partitions:
    """Events of one size, by partition, in the order of their positions."""
    log: Partitions = defaultdict(list)
    for n in range(number):
        stream = uuid5(COMMUNITY, str(n))
        partition = partition_of(stream, partitions)
        log[partition].append(_event(partition, len(log[partition]) + 1, stream))
    return log


def _event(partition: int, position: int, stream: UUID) -> Recorded:
    return Recorded(
        "measured", partition, position, stream, 1, TYPE, uuid5(stream, "1"), COMMUNITY, None, START, START, None, DATA
    )


async def _fill(settings: Settings, log: Partitions) -> None:
    async with _connected(settings) as connection:
        rows = ([getattr(event, name) for name in COLUMNS] for events in log.values() for event in events)
        await connection.copy_records_to_table("log", records=rows, columns=COLUMNS)
        heads = [(partition, len(events)) for partition, events in log.items()]
        await connection.executemany("update log_partition set position = $2 where id = $1", heads)
        await connection.execute("analyze log")


async def _relay(settings: Settings) -> Load:
    """One run of the relay from an empty topic to the end of the log, from when it knows where to begin."""
    name = f"measured-{next(_rounds)}"
    await new_topics(settings, [name])
    engine = create_engine(settings, "benchmark")
    log = PostgresLog(engine, name, settings.partitions)
    relay = Relay(log, engine, settings)
    async with _connected(settings) as connection:
        await connection.execute("update relay_checkpoint set position = 0")
        running = asyncio.create_task(relay.run())
        await until(lambda: bool(relay.state.positions), 0.001)
        began = time.perf_counter()
        await until(lambda: relay.state.lag == 0)
        end = sum(relay.state.heads)
        await until(lambda: _checkpointed(connection, end))
        took = time.perf_counter() - began
        assert relay.state.producers == 1, relay.state.problem
        running.cancel()
        await asyncio.wait([running])
    await log.close()
    await engine.dispose()
    return Load(end / took, 0, 0)


async def _checkpointed(connection: asyncpg.Connection[asyncpg.Record], end: int) -> bool:
    return bool(await connection.fetchval("select sum(position) = $1 from relay_checkpoint", end))


async def _send(settings: Settings, ready: Mapping[int, Sequence[Record]]) -> Load:
    """The same records in batches of the same size, all partitions at once, one batch under way in each."""
    name = f"measured-{next(_rounds)}"
    await new_topics(settings, [name])
    async with producer(settings) as to:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for partition, records in ready.items():
                tasks.create_task(send_all(to, topic_of(name), partition, records, SLICE))
        took = time.perf_counter() - began
    return Load(sum(map(len, ready.values())) / took, 0, 0)


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(settings.database_url)
    try:
        yield connection
    finally:
        await connection.close()
