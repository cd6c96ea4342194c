"""From an event appended to the event visible in a read model, 200 times a second, through three processes and Kafka.

This process appends and looks; `guildhall run content --only worker` relays, `guildhall run projection --only worker`
reads, each finding out by itself that there is something. Time runs from the append's answer until a look at the
database finds the event folded; a look comes every two milliseconds, so what is shown is about one too much.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

import asyncpg

from benchmarks.history import COMMUNITY
from benchmarks.measuring import Load, Result, at_most, choose, load_of, until
from benchmarks.processes import service
from benchmarks.topics import new_topics
from services.content.app import SERVICE as CONTENT
from services.content.events import ReplyPosted
from services.projection.app import SERVICE as PROJECTION
from services.projection.read_models.responses import RESPONSES
from shared.db import create_engine
from shared.events.event import Text, encode_data, wire_name
from shared.events.identity import derived_id
from shared.log.port import Append, NewEvent, Write
from shared.log.postgres import PostgresLog
from shared.settings import Settings
from tests.databases import fresh_database
from tests.stack import Stack

RATE = 200
"""Events a second."""
MEMBERS = 1_000
LOOK = 0.002
"""Seconds between two looks at the watermarks."""
DEADLINE = 60.0
"""Seconds for what was appended to arrive."""
WATERMARKS = f"select partition, position from watermark where view = '{RESPONSES.name}' and source = 'content'"


async def measure(stack: Stack) -> list[Result]:
    async with _running(stack) as (log, projection):
        await _seconds(log, projection, 3)  # warm
        seen = await _seconds(log, projection, choose(20, 120))
    return [
        at_most("event appended to visible, 200/s, p50", seen.p50, 10.0),
        at_most("event appended to visible, 200/s, p99", seen.p99, 40.0),
    ]


@asynccontextmanager
async def _running(stack: Stack) -> AsyncIterator[tuple[PostgresLog, asyncpg.Connection[asyncpg.Record]]]:
    """Both workers over empty topics; the log to append to, and a connection to the read models."""
    async with AsyncExitStack() as running:
        content = await running.enter_async_context(fresh_database(stack, CONTENT.metadata))
        projection = await running.enter_async_context(fresh_database(stack, PROJECTION.metadata))
        await new_topics(content, sorted({*CONTENT.topics, *PROJECTION.topics}))
        connection = await asyncpg.connect(projection.database_url)
        running.push_async_callback(connection.close)
        log = await running.enter_async_context(_log(content))
        await running.enter_async_context(service("content", "worker", content))
        await running.enter_async_context(service("projection", "worker", projection))
        yield log, connection


@asynccontextmanager
async def _log(settings: Settings) -> AsyncIterator[PostgresLog]:
    engine = create_engine(settings, "benchmark")
    log = PostgresLog(engine, "content", settings.partitions)
    await log.start()
    yield log
    await log.close()
    await engine.dispose()


async def _seconds(log: PostgresLog, projection: asyncpg.Connection[asyncpg.Record], seconds: int) -> Load:
    """Append at a steady rate for that long, whatever becomes of it; how long each event took to be visible."""
    waiting: dict[int, deque[tuple[int, float]]] = {partition: deque() for partition in range(log.partitions)}
    times: list[float] = []
    began = time.perf_counter()

    async def append() -> None:
        (where,) = await log.append(_reply())
        waiting[where.partition].append((where.position, time.perf_counter()))

    async def look() -> None:
        rows = await projection.fetch(WATERMARKS)
        now = time.perf_counter()
        for row in rows:
            queue = waiting[row["partition"]]
            while queue and queue[0][0] <= row["position"]:
                times.append(now - queue.popleft()[1])

    async def watch() -> None:
        for n in count(1):
            await look()
            await asyncio.sleep(max(0.0, began + n * LOOK - time.perf_counter()))

    watching = asyncio.create_task(watch())
    async with asyncio.TaskGroup() as appends:
        for n in range(seconds * RATE):
            await asyncio.sleep(max(0.0, began + n / RATE - time.perf_counter()))
            appends.create_task(append())
    async with asyncio.timeout(DEADLINE):
        await until(lambda: len(times) == seconds * RATE)
    watching.cancel()
    await asyncio.wait([watching])
    return load_of(times, time.perf_counter() - began)


def _reply() -> Append:
    """A reply by one of a thousand members to another."""
    stream = uuid4()
    author, other = (derived_id("member", number) for number in random.sample(range(MEMBERS), 2))
    event = ReplyPosted(stream, uuid4(), other, author, Text(uuid4(), 100))
    new = NewEvent(uuid4(), wire_name(ReplyPosted), encode_data(event))
    return Append(COMMUNITY, event.author_id, datetime.now(UTC), None, (Write(stream, 0, (new,)),))
