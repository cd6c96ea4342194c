"""The worker moves what the API wrote: log to Kafka, log and topics to views; one leader each, and all start over.

Nothing here ends by itself. What fails is logged, counted, and begun again after a pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.cancellation import attempt, end, together
from shared.commands.idempotency import BATCH as KEYS
from shared.commands.idempotency import IdempotencyKeys
from shared.db import FAILED, Held, is_away
from shared.lease import Lease, lead
from shared.log.postgres import PostgresLog
from shared.polling import BackOff
from shared.processes.dispatcher import Dispatcher
from shared.projections.heads import QUICKLY, HeadsFollower
from shared.projections.read_model import ReadModel
from shared.projections.runners import MakeSource, ProjectionRunners
from shared.projections.store_postgres import PostgresReadModelStore
from shared.relay.heads_publisher import HeadsPublisher
from shared.relay.relay import Relay
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.log_source import LogSource
from shared.subscription.source import Marks, Source
from shared.vault import BATCH, PostgresVault
from shared.web.runtime import Runtime

if TYPE_CHECKING:
    from shared.service.service import Service

RESTARTS = Counter("guildhall_worker_restarts", "Parts of a worker that were begun again.", ["service", "part"])
SHORTEST, LONGEST = 0.5, 30.0
"""Seconds before a part is begun again, doubled at each failure that follows soon."""
FORGETTING = 5.0
"""Seconds between two looks for words that are to be forgotten, and at least until they are: whoever has just read of
them, in a stream or a list, still finds them.
"""
SETTLED = 5.0
"""Seconds after which a part that was begun again is no longer called failing."""

_logger = structlog.get_logger(__name__)


@asynccontextmanager
async def run_worker(service: Service, runtime: Runtime, engine: AsyncEngine) -> AsyncIterator[None]:
    """Run all parts of a service's worker while the context lasts."""
    for_heads = Held(engine, 1, QUICKLY)
    parts = _parts(service, runtime, engine, for_heads)
    tasks = [asyncio.create_task(supervise(runtime, name, part), name=name) for name, part in parts.items()]
    try:
        yield
    finally:
        await end(*tasks)
        with suppress(*FAILED):
            await for_heads.close()


async def supervise(runtime: Runtime, name: str, part: Callable[[], Awaitable[None]]) -> None:
    """Run a part to its end; when it fails, run it again, ever more slowly while it keeps failing."""
    loop = asyncio.get_running_loop()
    back_off = BackOff(SHORTEST, LONGEST)
    settled: asyncio.TimerHandle | None = None
    while True:
        began = loop.time()
        try:
            with attempt():
                await part()
            return
        except Exception as error:
            if loop.time() - began > LONGEST:
                back_off.begin_anew()
            pause, away = back_off.next(), is_away(error)
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
        runtime.failing[name] = problem
        await asyncio.sleep(pause)
        settled = loop.call_later(SETTLED, runtime.failing.pop, name, None)


def _parts(
    service: Service, runtime: Runtime, engine: AsyncEngine, for_heads: Held
) -> dict[str, Callable[[], Awaitable[None]]]:
    """What this service's worker does, by name."""
    parts: dict[str, Callable[[], Awaitable[None]]] = {}
    if isinstance(runtime.log, PostgresLog):
        relay = Relay(runtime.log, engine, runtime.settings)
        runtime.log.appended.append(relay.wake)
        runtime.relay = relay
        parts["relay"] = relay.run
        parts["heads"] = HeadsPublisher(engine, runtime.settings, service.name).run
        parts["forgetting"] = partial(_forget, runtime, engine)
        if service.own_read_models:
            parts["own views"] = _led(engine, "views", partial(_read_log, service, runtime, engine))
    for source in service.topics:
        if source != service.name:
            parts[f"heads of {source}"] = HeadsFollower(for_heads, runtime.settings, source, runtime.movement).run
    if service.topic_read_models:
        # Without facts of its own a service is all reading: its workers share the partitions. Else one reads them all.
        shared = runtime.log is None
        read = partial(_read_topics, service, runtime, engine, shared=shared)
        parts["topic views"] = read if shared else _led(engine, "topics", read)
    if service.process_managers:
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
        await _read(service.own_read_models, make, runtime, PostgresReadModelStore(engine))
    finally:
        log.appended[:] = [wake for wake in log.appended if wake not in woken]


async def _read_topics(service: Service, runtime: Runtime, engine: AsyncEngine, *, shared: bool) -> None:
    def make(group: str, source: str, marks: Marks) -> Source:
        if shared:
            return KafkaSource(runtime.settings, source, f"guildhall-{service.name}-{group}", marks=marks)
        return KafkaSource(runtime.settings, source)

    # Beside facts of its own nothing is written in a way that a crash may take back; where all is read from topics,
    # what is lost is read again.
    store = PostgresReadModelStore(engine, wait_for_disk=runtime.log is not None)
    await _read(service.topic_read_models, make, runtime, store)


async def _forget(runtime: Runtime, engine: AsyncEngine) -> None:
    """Erase words of who was erased; forget words that stand no more, and keys of requests, when their time has come.

    Every worker does; they share the rows.
    """
    settings = runtime.settings
    vault = PostgresVault(engine, settings.member_secret.get_secret_value().encode())
    keys = IdempotencyKeys(engine)
    retention = max(settings.retention, timedelta(seconds=FORGETTING))
    while True:
        await vault.erase_marked()
        while await vault.forget_superseded(retention) == BATCH:
            pass
        while await keys.prune() == KEYS:
            pass
        await asyncio.sleep(FORGETTING)


async def _react(service: Service, runtime: Runtime, engine: AsyncEngine) -> None:
    def make(group: str, source: str, marks: Marks) -> Source:
        return KafkaSource(runtime.settings, source)

    dispatcher = Dispatcher(engine, runtime.commands, service.process_managers)
    store = PostgresReadModelStore(engine, issued=dispatcher.wake)
    await together(_read(service.process_managers, make, runtime, store), dispatcher.run())


async def _read(
    views: Sequence[ReadModel],
    make: MakeSource,
    runtime: Runtime,
    store: PostgresReadModelStore,
    *,
    limit: int = 2_000,
) -> None:
    """Read until cancelled."""
    readers = ProjectionRunners(views, make, store, runtime.settings.partitions, runtime.movement, limit)
    runtime.readers.append(readers)
    try:
        await readers.run()
    finally:
        runtime.readers.remove(readers)
        await store.close()
