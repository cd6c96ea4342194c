"""Goal 4: writers that commit late, roll back or are killed: no reader ever sees a position before the one below."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from shared.cancellation import attempt
from shared.db import create_engine, driver
from shared.events.errors import Unavailable
from shared.log.port import Position
from shared.log.postgres import PostgresLog
from shared.log.sql import insert
from shared.settings import Settings
from tests.faults.logs import PARTITIONS, fresh, logs
from tests.faults.stage import Stage
from tests.stack import Stack

WRITERS, SLOW, READERS = 12, 4, 4
"""Sixteen writers, four of which hold their transaction open before they commit it or roll it back."""
DELAY = 2.0
ROLLED_BACK = 0.05
LOOK = 0.005
BETWEEN_KILLS = 0.25
LOST = (OSError, TimeoutError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass
class Hunt:
    """What was written, as its writers were told, and what readers saw that they must not."""

    answered: dict[Position, UUID] = field(default_factory=dict)
    rolled_back: set[UUID] = field(default_factory=set)
    seen_early: list[str] = field(default_factory=list)
    looks: int = 0
    kills: int = 0
    events: int = 0
    wrong: list[str] = field(default_factory=list)


async def run(stage: Stage) -> None:
    count = stage.choose(20_000, 200_000)
    began = time.monotonic()
    found = await hunt(stage.stack(), count, stage.seed)
    took = time.monotonic() - began
    stage.say(
        f"{found.events:,} events in {took:.0f} s, {found.looks:,} looks by readers, {found.kills} sessions killed"
    )
    wrong = [*found.seen_early, *found.wrong]
    stage.figure(
        4,
        "gap hunt: positions seen before the one below, lost or given twice",
        "; ".join(wrong[:3]) or f"0 in {found.looks:,} looks",
        "0",
        holds=not wrong,
        scale=f"{found.events:,} of 200,000 events, {found.kills} kills",
    )


async def hunt(stack: Stack, count: int, seed: int, delay: float = DELAY) -> Hunt:
    """Write at least so many events while sessions are killed, and look at them all the while."""
    found, rng = Hunt(), random.Random(seed)
    async with logs(stack, WRITERS // 3 + READERS) as (settings, made):
        writing = made[: WRITERS // 3]
        done = asyncio.Event()
        async with asyncio.TaskGroup() as others:
            for log in made[WRITERS // 3 :]:
                others.create_task(_read(log, found, done))
            others.create_task(_kill(settings, found, rng, done))
            async with asyncio.TaskGroup() as writers:
                for number in range(WRITERS):
                    writers.create_task(
                        _write(writing[number % len(writing)], found, count, random.Random(rng.random()))
                    )
                for _ in range(SLOW):
                    writers.create_task(_write_slowly(settings, found, count, random.Random(rng.random()), delay))
            done.set()
        await _check(made[0], found)
    return found


async def _write(log: PostgresLog, found: Hunt, count: int, rng: random.Random) -> None:
    """Append and, where no answer came, append the very same again."""
    while len(found.answered) < count:
        request, _ = fresh(UUID(int=rng.getrandbits(128)), rng.randint(1, 40))
        while True:
            try:
                positions = await log.append(request)
            except Unavailable:
                await asyncio.sleep(0.05)
                continue
            break
        found.answered |= dict(zip(positions, (event.id for event in request.writes[0].events), strict=True))


class _RolledBack(Exception):
    pass


async def _write_slowly(settings: Settings, found: Hunt, count: int, rng: random.Random, delay: float) -> None:
    """The same statement in a transaction that is held open: the position is given out long before it is seen."""
    engine = create_engine(settings, "toy", connections=2)
    while len(found.answered) < count:
        request, partitions = fresh(UUID(int=rng.getrandbits(128)), rng.randint(1, 3))
        events = [event.id for event in request.writes[0].events]
        try:
            with attempt():
                async with driver(engine) as connection, connection.transaction():
                    (positions,) = await insert(connection, [(request, partitions)])
                    await asyncio.sleep(rng.uniform(0, delay))
                    if rng.random() < ROLLED_BACK:
                        raise _RolledBack
        except _RolledBack:
            found.rolled_back |= set(events)
        except (*LOST, asyncpg.InternalClientError):
            continue  # nobody was told anything
        else:
            found.answered |= dict(zip(positions, events, strict=True))
    await engine.dispose()


async def _kill(settings: Settings, found: Hunt, rng: random.Random, done: asyncio.Event) -> None:
    connection = await asyncpg.connect(settings.database_url)
    others = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    while not done.is_set():
        pids = [row["pid"] for row in await connection.fetch(others)]
        if pids:
            await connection.execute("select pg_terminate_backend($1)", rng.choice(pids))
            found.kills += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), BETWEEN_KILLS)
    await connection.close()


async def _read(log: PostgresLog, found: Hunt, done: asyncio.Event) -> None:
    """Look at every partition every few milliseconds, as a reader does: what comes next must be next."""
    seen = [0] * PARTITIONS
    while True:
        last = done.is_set()
        for partition in range(PARTITIONS):
            with suppress(Unavailable):
                for record in await log.follow(partition, seen[partition], 1_000):
                    if record.position != seen[partition] + 1:
                        found.seen_early.append(f"{partition}/{record.position} after {seen[partition]}")
                    seen[partition] = record.position
        found.looks += 1
        if last:
            return
        await asyncio.sleep(LOOK)


async def _check(log: PostgresLog, found: Hunt) -> None:
    written: dict[Position, UUID] = {}
    for partition, head in enumerate(await log.heads()):
        records: list[Position] = []
        while len(records) < head:
            more = await log.follow(partition, len(records), 5_000)
            if not more:
                break
            written |= {Position(partition, record.position): record.id for record in more}
            records += [Position(partition, record.position) for record in more]
        if [each.position for each in records] != list(range(1, head + 1)):
            found.wrong.append(f"partition {partition} is not 1 to {head}")
    found.events = len(written)
    found.wrong += [f"{at} answered and not there" for at, id_ in found.answered.items() if written.get(at) != id_]
    if len(set(written.values())) != len(written):
        found.wrong.append("an event is there twice")
    if found.rolled_back & set(written.values()):
        found.wrong.append("what was rolled back is there")
