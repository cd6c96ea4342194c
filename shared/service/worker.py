"""The worker moves what the API wrote: log to Kafka, log and topics to views; one leader each, and all start over.

Nothing here ends by itself. What fails is logged, counted, and begun again after a pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.access.directory import SOURCE, VIEW
from shared.db import is_away
from shared.lease import Lease, lead
from shared.log.postgres import PostgresLog
from shared.reactions import carry_out
from shared.relay.relay import Relay
from shared.runtime import Runtime
from shared.stream.kafka_source import KafkaSource
from shared.stream.log_source import LogSource
from shared.stream.source import Marks, Source
from shared.tasks import attempt, end
from shared.views.lookup import NEVER_SEEN
from shared.views.readers import MakeSource, Readers
from shared.views.store_postgres import PostgresViewStore
from shared.views.view import View

if TYPE_CHECKING:
    from shared.service.service import Service

RESTARTS = Counter("guildhall_worker_restarts", "Parts of a worker that were begun again.", ["service", "part"])
SHORTEST, LONGEST = 0.5, 30.0
"""Seconds before a part is begun again, doubled at each failure that follows soon."""
ORDERS = 100
"""Events at most whose orders are carried out before the marks move, and after a crash again."""
SETTLED = 5.0
"""Seconds after which a part that was begun again is no longer called failing."""

_logger = structlog.get_logger(__name__)


@asynccontextmanager
async def run_worker(service: Service, runtime: Runtime, engine: AsyncEngine) -> AsyncIterator[None]:
    """Run all parts of a service's worker while the context lasts."""
    parts = _parts(service, runtime, engine)
    tasks = [asyncio.create_task(supervise(runtime, name, part), name=name) for name, part in parts.items()]
    try:
        yield
    finally:
        await end(*tasks)


async def supervise(runtime: Runtime, name: str, part: Callable[[], Awaitable[None]]) -> None:
    """Run a part to its end; when it fails, run it again, ever more slowly while it keeps failing."""
    loop = asyncio.get_running_loop()
    pause = SHORTEST
    settled: asyncio.TimerHandle | None = None
    while True:
        began = loop.time()
        try:
            with attempt():
                await part()
            return
        except Exception as error:
            away = is_away(error)
            problem = type(error).__name__
            _logger.log(
                logging.WARNING if away else logging.ERROR,
                "worker part failed",
                part=name,
                problem=problem,
                again_in=pause,
                exc_info=None if away else error,
            )
        RESTARTS.labels(runtime.service, name).inc()
        if settled is not None:
            settled.cancel()
        if loop.time() - began > LONGEST:
            pause = SHORTEST
        runtime.failing[name] = problem
        await asyncio.sleep(pause)
        settled = loop.call_later(SETTLED, runtime.failing.pop, name, None)
        pause = min(pause * 2, LONGEST)


def _parts(service: Service, runtime: Runtime, engine: AsyncEngine) -> dict[str, Callable[[], Awaitable[None]]]:
    """What this service's worker does, by name."""
    parts: dict[str, Callable[[], Awaitable[None]]] = {}
    if isinstance(runtime.log, PostgresLog):
        relay = Relay(runtime.log, engine, runtime.settings)
        runtime.log.appended.append(relay.wake)
        runtime.relay = relay
        parts["relay"] = relay.run
        if service.own_views:
            parts["own views"] = _led(engine, "views", partial(_read_log, service, runtime, engine))
    if service.topic_views:
        # Without facts of its own a service is all reading: its workers share the partitions. Else one reads them all.
        shared = runtime.log is None
        read = partial(_read_topics, service, runtime, engine, shared=shared)
        parts["topic views"] = read if shared else _led(engine, "topics", read)
    if service.reactions:
        parts["reactions"] = _led(engine, "reactions", partial(_react, service, runtime, engine))
    for worker in service.workers:
        name = worker.__qualname__
        parts[name] = _led(engine, name, partial(worker, runtime))
    return parts


def _led(engine: AsyncEngine, lease: str, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """The work, done by one process at a time."""

    async def under(_: Lease) -> None:
        await work()

    return partial(lead, engine, lease, under)


async def _read_log(service: Service, runtime: Runtime, engine: AsyncEngine) -> None:
    log = runtime.log
    assert isinstance(log, PostgresLog)

    def make(group: str, source: str, marks: Marks) -> Source:
        made = LogSource(log)
        woken.append(made.wake)
        log.appended.append(made.wake)
        return made

    woken: list[Callable[[], None]] = []
    try:
        await _read(service.own_views, make, runtime, PostgresViewStore(engine))
    finally:
        log.appended[:] = [wake for wake in log.appended if wake not in woken]


async def _read_topics(service: Service, runtime: Runtime, engine: AsyncEngine, *, shared: bool) -> None:
    def make(group: str, source: str, marks: Marks) -> Source:
        if shared:
            return KafkaSource(runtime.settings, source, f"guildhall-{service.name}-{group}", marks=marks)
        return KafkaSource(runtime.settings, source)

    # Beside facts of its own nothing is written in a way that a crash may take back; where all is read from topics,
    # what is lost is read again.
    store = PostgresViewStore(engine, wait_for_disk=runtime.log is not None)
    await _read(service.topic_views, make, runtime, store, shared=shared)


async def _react(service: Service, runtime: Runtime, engine: AsyncEngine) -> None:
    def make(group: str, source: str, marks: Marks) -> Source:
        return KafkaSource(runtime.settings, source)

    store = PostgresViewStore(engine, execute=partial(carry_out, runtime.commands))
    await _read(service.reactions, make, runtime, store, limit=ORDERS)


async def _read(
    views: Sequence[View],
    make: MakeSource,
    runtime: Runtime,
    store: PostgresViewStore,
    *,
    shared: bool = False,
    limit: int = 2_000,
) -> None:
    """Read until cancelled; meanwhile this process's directory is told by its own reader how far it is.

    Not where processes share the partitions: there each knows of its part alone, and the watermarks tell of all.
    """
    readers = Readers(views, make, store, runtime.settings.partitions, runtime.progress, limit)
    runtime.readers.append(readers)
    unaware = runtime.directory.seen
    if not shared and any(view.name == VIEW for view in views):
        runtime.directory.seen = lambda: readers.caught_up_at(VIEW).get(SOURCE, NEVER_SEEN)
    try:
        await readers.run()
    finally:
        runtime.directory.seen = unaware
        runtime.readers.remove(readers)
        await store.close()
