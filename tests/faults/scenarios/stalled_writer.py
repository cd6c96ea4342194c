"""Goal 5: a session freezes with a partition's lock in hand: the others do not feel it, its own is free soon."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress
from dataclasses import dataclass, field

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from shared.db import create_engine, driver
from shared.events.errors import Unavailable
from shared.log.postgres import PostgresLog
from shared.log.sql import insert
from shared.settings import Settings
from tests.faults.logs import PARTITIONS, fresh, logs, stream_in
from tests.faults.stage import Stage
from tests.stack import Stack

SLOWER, FREE = 1.2, 5.0
CALM = 2.0
"""Seconds without a frozen session after each one, to compare with."""
CLIENTS = 8
PAUSE = 0.01


@dataclass
class Stalls:
    """Seconds: appends to other partitions with and without a frozen session, and until the own one was free."""

    during: list[float] = field(default_factory=list)
    calm: list[float] = field(default_factory=list)
    free: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


async def run(stage: Stage) -> None:
    count = stage.choose(5, 100)
    found = await stall(stage.stack(), count)
    scale = f"{count} of 100 freezes"
    during, calm = p99(found.during), p99(found.calm)
    measured = f"{during / calm:.2f} × ({during * 1000:.1f} against {calm * 1000:.1f} ms)"
    holds = during <= SLOWER * calm and not found.wrong
    stage.figure(5, "p99 of the other partitions", measured, f"≤ {SLOWER} ×", holds=holds, scale=scale)
    slow = max(found.free)
    stage.figure(5, "own partition free again", f"{slow:.2f} s", f"≤ {FREE:.0f} s", holds=slow <= FREE, scale=scale)


async def stall(stack: Stack, count: int, calm: float = CALM) -> Stalls:
    found = Stalls()
    async with logs(stack, 1) as (settings, made):
        log, numbers = made[0], itertools.count(1)
        frozen, done = asyncio.Event(), asyncio.Event()
        stalled = set[int]()
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(_write(log, numbers, stalled, frozen, done, found))
            for number in range(count):
                await asyncio.sleep(calm)
                stalled.clear()
                stalled.add(number % PARTITIONS)
                await asyncio.sleep(0.1)  # who was about to write there has done so
                await _freeze(settings, log, numbers, number % PARTITIONS, frozen, found)
            done.set()
        for partition, head in enumerate(await log.heads()):
            positions = [record.position for record in await log.follow(partition, 0, 1_000_000)]
            if positions != list(range(1, head + 1)):
                found.wrong.append(f"partition {partition} has a hole")
    return found


async def _write(
    log: PostgresLog,
    numbers: itertools.count[int],
    stalled: set[int],
    frozen: asyncio.Event,
    done: asyncio.Event,
    found: Stalls,
) -> None:
    while not done.is_set():
        number = next(numbers)
        if number % PARTITIONS in stalled:
            continue
        request, _ = fresh(stream_in(number % PARTITIONS, number), 1)
        state, began = frozen.is_set(), time.monotonic()
        await log.append(request)
        if state == frozen.is_set():
            (found.during if state else found.calm).append(time.monotonic() - began)
        await asyncio.sleep(PAUSE)


async def _freeze(
    settings: Settings,
    log: PostgresLog,
    numbers: itertools.count[int],
    partition: int,
    frozen: asyncio.Event,
    found: Stalls,
) -> None:
    """A writer that has written and says nothing any more; and who else wants to write there."""
    engine = create_engine(settings, "toy", connections=2)
    held, began = asyncio.Event(), time.monotonic()

    async def stand_still() -> None:
        with suppress(OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with driver(engine) as connection, connection.transaction():
                await insert(connection, [fresh(stream_in(partition, next(numbers)), 1)])
                held.set()
                frozen.set()
                while not connection.is_closed():  # the server ends it; a frozen client would not even notice
                    await asyncio.sleep(0.05)

    standing = asyncio.create_task(stand_still())
    await held.wait()
    began = time.monotonic()
    while True:
        request, _ = fresh(stream_in(partition, next(numbers)), 1)
        with suppress(Unavailable):
            await log.append(request)
            break
    found.free.append(time.monotonic() - began)
    frozen.clear()
    await standing
    await engine.dispose()


def p99(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]
