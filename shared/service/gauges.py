"""What a process says of itself at /metrics, and what its database says of all: measured when it is asked for.

What several processes share is told by each of them alike, from the database, so that it is there whoever lives: take
the maximum over processes, not the sum. A database that does not answer leaves these out and says so.
"""

from __future__ import annotations

import asyncio
import math
import shutil
from contextlib import suppress

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from shared import lag
from shared.db import FAILED, OVERFLOW, driver
from shared.processes.dispatcher import WAITING
from shared.vault import DUE_WORDS
from shared.web.runtime import Runtime

PATIENCE = 2.0
"""Seconds the database has to answer; a scrape waits no longer."""

UP = Gauge("guildhall_database_up", "1 while the database answers this process.", ["service"])
POOL = Gauge(
    "guildhall_database_connections",
    "Connections of this process to its database: `in_use`, `idle`, and `limit`, the most there may be.",
    ["service", "pool", "state"],
)
HEAD = Gauge("guildhall_log_position", "Last position of the log.", ["service", "partition"])
CHECKPOINT = Gauge(
    "guildhall_relay_checkpoint_position", "Position up to which the relay has noted that Kafka has the log.",
    ["service", "partition"],
)  # fmt: skip
RELAY_AGE = Gauge(
    "guildhall_relay_lag_seconds", "Age of the oldest event that is not relayed; 0 when none is.", ["service"]
)
POSITION = Gauge("guildhall_view_position", "Last position folded.", ["service", "view", "source", "partition"])
LAG_EVENTS = Gauge(
    "guildhall_view_lag_events",
    "Events not folded yet; NaN while nobody says how far a log is.",
    ["service", "view"],
)
LAG_SECONDS = Gauge("guildhall_view_lag_seconds", "Age of what may be missing; 0 when nothing is.", ["service", "view"])
LEASE_HELD = Gauge("guildhall_lease_held", "1 while some process leads under this lease.", ["service", "lease"])
LEASE_EPOCH = Gauge("guildhall_lease_epoch", "Grows when a lease passes to another process.", ["service", "lease"])
OVERDUE = Gauge(
    "guildhall_vault_overdue_seconds",
    "How long words that stand no more should have been forgotten; 0 when none are overdue.",
    ["service"],
)
DEAD_LETTERS = Gauge(
    "guildhall_dead_commands", "Commands of process managers that were given up.", ["service", "manager"]
)
COMMANDS_OVERDUE = Gauge(
    "guildhall_commands_overdue_seconds",
    "How long the oldest command that is due has waited to be carried out; 0 when none waits.",
    ["service", "manager"],
)
DISK_FREE = Gauge("guildhall_disk_free_bytes", "Room on the disk of a folder that the settings name.", ["folder"])
DISK_SIZE = Gauge("guildhall_disk_size_bytes", "Size of that disk.", ["folder"])

_FROM_DATABASE = (
    HEAD, CHECKPOINT, RELAY_AGE, POSITION, LAG_EVENTS, LAG_SECONDS, LEASE_HELD, LEASE_EPOCH, OVERDUE,
    DEAD_LETTERS, COMMANDS_OVERDUE,
)  # fmt: skip

LEASES = "select name, epoch, holder is not null and expires_at > clock_timestamp() as held from lease"


Sample = tuple[Gauge, tuple[str, ...], float]


async def refresh(runtime: Runtime) -> None:
    """Set the gauges to what is so now. All at once, after all questions: two who ask at a time do not mix."""
    service = runtime.service
    for name, engine in runtime.pools.items():
        _pool(service, name, engine)
    for folder in runtime.settings.data_folder_list:
        with suppress(OSError):
            usage = shutil.disk_usage(folder)
            DISK_FREE.labels(folder).set(usage.free)
            DISK_SIZE.labels(folder).set(usage.total)
    try:
        async with asyncio.timeout(PATIENCE):
            samples = [*await _tables(runtime), (UP, (service,), 1)]
    except FAILED:
        samples = [(UP, (service,), 0)]
    else:
        with suppress(*FAILED):  # these may wait for the broker, which says nothing of the database
            async with asyncio.timeout(PATIENCE):
                samples += await _lags(runtime)
    for gauge in _FROM_DATABASE:
        gauge.clear()  # what is not known now is left out, not repeated
    for gauge, labels, value in samples:
        gauge.labels(*labels).set(value)


async def _lags(runtime: Runtime) -> list[Sample]:
    samples: list[Sample] = []
    for view in runtime.views:
        found = await runtime.watch.freshness(view)
        events = math.nan if found.lag_events is None else found.lag_events
        labels = (runtime.service, view.name)
        samples += [(LAG_EVENTS, labels, events), (LAG_SECONDS, labels, found.lag_seconds)]
    return samples


async def _tables(runtime: Runtime) -> list[Sample]:
    service, samples = runtime.service, list[Sample]()
    async with driver(runtime.engine) as connection:
        if runtime.log is not None:
            relayed, heads = await lag.relayed(connection), await lag.heads(connection)
            waiting = [(p, at + 1) for p, (at, head) in enumerate(zip(relayed, heads, strict=True)) if at < head]
            samples += [(HEAD, (service, str(partition)), head) for partition, head in enumerate(heads)]
            samples += [(CHECKPOINT, (service, str(partition)), at) for partition, at in enumerate(relayed)]
            samples.append((RELAY_AGE, (service,), max(await lag.ages(connection, waiting), default=0.0)))
            due = await connection.fetchrow(DUE_WORDS, runtime.settings.retention)
            samples.append((OVERDUE, (service,), (due and due["seconds"]) or 0.0))
            for row in await connection.fetch(WAITING):
                labels = (service, row["manager"])
                samples += [(DEAD_LETTERS, labels, row["dead"]), (COMMANDS_OVERDUE, labels, row["overdue"] or 0.0)]
        for row in await connection.fetch(LEASES):
            labels = (service, row["name"])
            samples += [(LEASE_HELD, labels, row["held"]), (LEASE_EPOCH, labels, row["epoch"])]
        samples += [
            (POSITION, (service, row["view"], row["source"], str(row["partition"])), row["position"])
            for row in await lag.watermarks(connection)
        ]
    return samples


def _pool(service: str, name: str, engine: AsyncEngine) -> None:
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    POOL.labels(service, name, "in_use").set(pool.checkedout())
    POOL.labels(service, name, "idle").set(pool.checkedin())
    POOL.labels(service, name, "limit").set(pool.size() + OVERFLOW)
