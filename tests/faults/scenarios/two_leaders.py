"""Goal 6: two processes lead: sessions are ended, a leader is stopped beyond its lease, and goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

from deploy.local.service import guildhall, status_at
from shared.db import create_engine, driver
from shared.events.envelope import from_wire
from shared.lease import LeaseLost, acquire
from shared.relay.comparison import CHECKPOINTS
from shared.relay.session import MOVE
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.source import BEGINNING
from shared.tables import service_metadata
from tests.databases import fresh_database
from tests.e2e.system import free_port
from tests.faults.processes import end, launch
from tests.faults.stage import Stage
from tests.faults.system import System
from tests.stack import Stack

RATE = 100.0
SERVICE = "content"
BEYOND = 15.0
"""Seconds a leader is stopped: its lease lasts ten."""
SESSIONS = f"""
select count(pg_terminate_backend(pid)) from pg_stat_activity
where application_name = 'guildhall-{SERVICE}' and datname = 'guildhall_{SERVICE}'
"""


async def run(stage: Stage) -> None:
    system = await stage.system()
    ended, stopped, fenced = stage.choose(8, 150), stage.choose(2, 50), 200
    await _fenced(stage, system.stack(), fenced)
    before = await _repeats(system)
    with _worker(system) as second:
        async with stage.live(RATE):
            await asyncio.sleep(3)
            for number in range(ended):
                if number % 4 == 0:
                    stage.say(f"ending every session of {SERVICE}, {number + 1} of {ended}")
                connection = await system.connect(SERVICE)
                await connection.execute(SESSIONS)
                await connection.close()
                await asyncio.sleep(1.5)
            for number in range(stopped):
                leader = await _leader(system, second)
                stage.say(f"stopping the leader, process {leader}, for {BEYOND:.0f} s, {number + 1} of {stopped}")
                with system.frozen(leader):
                    await asyncio.sleep(BEYOND)
                await asyncio.sleep(3)
        await system.caught_up(60)
        epochs = await _epochs(system)
    after = await _repeats(system)
    cycles = ended + stopped
    scale = f"{ended} of 150 sessions ended, {stopped} of 50 leaders stopped"
    most = max((after[p] - before[p]) / cycles for p in range(system.settings().partitions))
    total = sum((after - before).values())
    stage.figure(
        6,
        "repeats on the topic, of a partition and a change of leader",
        f"{most:.1f} events at most ({total} in all, leader no. {epochs})",
        "≤ 1 batch",
        holds=most <= 1_000 and epochs > stopped,
        scale=scale,
    )
    await stage.settled(6, "the last change of leader")
    await stage.judged(6, "after two had led", scale)


async def _fenced(stage: Stage, stack: Stack, count: int) -> None:
    """An old leader's write, each time after a new one has begun."""
    refused = 0
    async with fresh_database(stack, service_metadata(facts=True)) as settings, AsyncExitStack() as resources:
        engine = create_engine(settings, "toy", connections=3)
        resources.push_async_callback(engine.dispose)
        for number in range(count):
            async with driver(engine) as old, driver(engine) as new:
                lease = await acquire(old, "relay")
                assert lease is not None
                await new.execute("update lease set expires_at = clock_timestamp() - interval '1 second'")
                assert await acquire(new, "relay") is not None
                moved = await old.execute(MOVE, *lease.key, [0], [number + 1])
                try:
                    await lease.check(old)
                except LeaseLost:
                    refused += moved == "INSERT 0 0"
                await new.execute("update lease set holder = null")
        async with driver(engine) as connection:
            untouched = {row["position"] for row in await connection.fetch(CHECKPOINTS)} == {0}
    measured = f"{refused} of {count} refused"
    stage.figure(
        6, "an old leader's write", measured, "100 %", holds=refused == count and untouched, scale="200 of 200"
    )


@contextmanager
def _worker(system: System) -> Iterator[tuple[int, int]]:
    """A second worker of the service, as a replica has one; the port on which it tells of itself, and its id."""
    port = free_port()
    command = guildhall("run", SERVICE, "--only", "worker", "--port", str(port))
    process = launch(command, system.home.log("second-worker"), system.parts.settings)
    try:
        yield port, process.pid
    finally:
        end(process)


async def _leader(system: System, second: tuple[int, int], within: float = 30.0) -> int:
    """The process that relays."""
    for _ in range(int(within / 0.2)):
        pids = {system.parts.ports[SERVICE]: await system.pid(SERVICE), second[0]: second[1]}
        for at, pid in pids.items():
            if (await asyncio.to_thread(status_at, at)).get("relay") not in (None, "standing-by"):
                return pid
        await asyncio.sleep(0.2)
    raise AssertionError("nobody leads")


async def _epochs(system: System) -> int:
    connection = await system.connect(SERVICE)
    try:
        return int(await connection.fetchval("select epoch from lease where name = 'relay'"))
    finally:
        await connection.close()


async def _repeats(system: System) -> Counter[int]:
    """How often a position stands on the topic again, by partition."""
    source = KafkaSource(system.settings(), SERVICE)
    await source.start(dict.fromkeys(range(source.partitions), BEGINNING))
    repeats, reached, silent = Counter[int](), Counter[int](), 0
    while silent < 2:
        messages = await source.read(10_000, 1.5)
        silent = 0 if messages else silent + 1
        for message in messages:
            position = from_wire(message.value or b"").position
            if position <= reached[message.partition]:
                repeats[message.partition] += 1
            reached[message.partition] = max(position, reached[message.partition])
    await source.close()
    return repeats
