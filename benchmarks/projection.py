"""The read models of activity and influence, from Kafka through the view engine, beside two ways to write them by hand.

One is a transaction per event with the offset in it, as event-sourcing libraries do it. The other is what a stream
framework with batches does: 500 records, one transaction, one `executemany` a table, offsets committed to Kafka; it
is written here on aiokafka alone, without a framework's own decoding and middleware, which makes the limit stricter.
All read the same topics and fold with the same functions. The rates by hand count from the first batch in hand, ours
from the end of the first batch and without it, so that connecting counts nowhere.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import asyncpg

from benchmarks.history import history
from benchmarks.measuring import Load, Result, against, at_least, choose, until
from benchmarks.plain_projection import Plain
from benchmarks.topics import publish
from services.projection.app import SERVICE
from services.projection.read_models.actions import ACTIONS
from services.projection.read_models.responses import RESPONSES
from shared.db import create_engine
from shared.projections.runner import ProjectionRunner
from shared.projections.store import Batch
from shared.projections.store_postgres import PostgresReadModelStore
from shared.settings import Settings
from shared.subscription.kafka_source import KafkaSource
from tests.databases import fresh_database
from tests.stack import Stack

VIEWS = (ACTIONS, RESPONSES)
SOURCES = sorted({source for view in VIEWS for source in view.sources})
DEADLINE = 120.0
"""Seconds the engine has for all of it."""


async def measure(stack: Stack) -> list[Result]:
    events = choose(100_000, 500_000)
    async with fresh_database(stack, SERVICE.metadata) as settings:
        await publish(settings, SOURCES, history(events, settings.partitions))
        connection = await asyncpg.connect(settings.database_url)
        plain = Plain(settings, VIEWS, connection)

        async def ours() -> Load:
            return Load(await _projected(settings, connection, events), 0, 0)

        async def by_event() -> Load:
            await plain.prepare()
            return Load(await plain.by_event(choose(1_000, 10_000)), 0, 0)

        async def by_batch() -> Load:
            await plain.prepare()
            return Load(await plain.by_batch(choose(20_000, 200_000)), 0, 0)

        rounds = choose(2, 4)
        one, one_limit = await against(ours, by_event, rounds)
        many, many_limit = await against(ours, by_batch, rounds)
        await connection.close()
    return [
        at_least("projection, beside a transaction per event", one.rate, one_limit.rate, 20),
        at_least("projection, beside batches of 500", many.rate, many_limit.rate, 2),
    ]


class _Store(PostgresReadModelStore):
    """Notes what it wrote and when; the first batch only starts the clock."""

    began = ended = 0.0
    first = written = 0

    async def write(self, batch: Batch) -> object:
        token = await super().write(batch)
        self.ended = time.perf_counter()
        view = VIEWS[0].name
        self.written += sum(move.position - move.before.position for move in batch.moves if move.view == view)
        if not self.first:
            self.began, self.first = self.ended, self.written
        return token


async def _projected(settings: Settings, connection: asyncpg.Connection[asyncpg.Record], events: int) -> float:
    """Events a second from empty tables to the end of the topics."""
    tables = [table.name for view in VIEWS for table in view.tables]
    await connection.execute(f"truncate {', '.join([*tables, 'watermark', 'member_ordinal'])}")
    engine = create_engine(settings, "benchmark")
    store = _Store(engine)
    reader = ProjectionRunner(VIEWS, [KafkaSource(settings, source) for source in SOURCES], store)
    running = asyncio.create_task(reader.run())
    try:
        async with asyncio.timeout(DEADLINE):
            await until(lambda: store.written >= events)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await store.close()
        await engine.dispose()
    return (events - store.first) / (store.ended - store.began)
