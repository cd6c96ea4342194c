"""Goal 8: tasks inside aiokafka die without a word: what stood on them is made anew, and counted."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from prometheus_client import REGISTRY

from shared.db import create_engine
from shared.events.envelope import from_wire
from shared.kafka.topics import ensure_topics
from shared.log.postgres import CONNECTIONS, PostgresLog
from shared.relay.relay import Relay
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.source import BEGINNING, Mark
from shared.tables import service_metadata
from tests.databases import fresh_database
from tests.faults.stage import Stage
from tests.shared.subscription.source_conformance import append
from tests.stack import Stack

LINES = 4
PARTITIONS = 3
BACK = 15.0
KINDS = (
    "Sender._sender_routine",
    "Fetcher._fetch_requests_routine",
    "GroupCoordinator._coordination_routine",
    "GroupCoordinator._heartbeat_routine",
    "AIOKafkaClient._md_synchronizer",
    "AIOKafkaConnection._read",
)
STOP_ALL = KINDS[:2]
"""Without these nothing moves any more, so each must come to a new producer or consumer, and be counted."""


@dataclass
class Line:
    """A log, its relay, and two readers of its topic: one by itself, one as a member of a group."""

    log: PostgresLog
    sources: Sequence[KafkaSource]
    reached: Sequence[dict[int, int]] = field(default_factory=lambda: [{}, {}])
    wrong: list[str] = field(default_factory=list)

    async def read(self, number: int) -> None:
        source, reached = self.sources[number], self.reached[number]
        while True:
            for message in await source.read(1_000, 0.1):
                position = from_wire(message.value or b"").position
                last = reached.get(message.partition, 0)
                if position > last + 1:
                    self.wrong.append(f"{message.partition}/{position} after {last}")
                reached[message.partition] = max(last, position)

    async def marks(self, partitions: Sequence[int]) -> Mapping[int, Mark]:
        return {p: Mark(self.reached[1].get(p, 0), None) for p in partitions}


@dataclass
class Deaths:
    took: list[float] = field(default_factory=list)
    killed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    counted: float = 0.0
    wrong: list[str] = field(default_factory=list)


async def run(stage: Stage) -> None:
    rounds = stage.choose(3, 17)
    found = await deaths(stage.stack(), rounds, stage.seed, stage.say)
    count, slow = sum(found.killed.values()), max(found.took)
    scale = f"{count} of 100 deaths"
    holds = slow <= BACK and not found.wrong
    measured = "; ".join(found.wrong[:3]) or f"{slow:.1f} s"
    stage.figure(8, "progress after tasks died", measured, f"≤ {BACK:.0f} s", holds=holds, scale=scale)
    fatal = sum(found.killed[kind] for kind in STOP_ALL)
    measured = f"{found.counted:.0f} made anew for {fatal} deaths that stop all"
    stage.figure(8, "counted in a metric", measured, "each", holds=found.counted >= fatal, scale=scale)


async def deaths(stack: Stack, rounds: int, seed: int, say: Callable[[str], None] = lambda _: None) -> Deaths:
    """In each round one task of every kind dies somewhere in the lines, and then all of them must move."""
    rng, found = random.Random(seed), Deaths()
    async with lines(stack) as made:
        await _moved(made, 60)
        before = _counted(made)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}, {sum(found.killed.values())} deaths")
            began = time.monotonic()
            for kind in KINDS:
                victims = [task for task in asyncio.all_tasks() if _name(task) == kind and not task.done()]
                if victims:
                    rng.choice(victims).cancel()
                    found.killed[kind] += 1
            await _moved(made, 60)
            found.took.append(time.monotonic() - began)
        found.counted = _counted(made) - before
        found.wrong = [each for line in made for each in line.wrong]
    return found


def _name(task: asyncio.Task[object]) -> str:
    return str(getattr(task.get_coro(), "__qualname__", ""))


@asynccontextmanager
async def lines(stack: Stack) -> AsyncIterator[list[Line]]:
    async with AsyncExitStack() as resources:
        made = []
        for _ in range(LINES):
            database = fresh_database(stack, service_metadata(facts=True), partitions=PARTITIONS)
            settings = await resources.enter_async_context(database)
            service = f"line{uuid4().hex[:8]}"
            engine = create_engine(settings, service, connections=CONNECTIONS + 3)
            resources.push_async_callback(engine.dispose)
            log = PostgresLog(engine, service, PARTITIONS)
            await log.start()
            resources.push_async_callback(log.close)
            await ensure_topics(settings, [service])
            line = Line(log, [])
            alone = KafkaSource(settings, service)
            await alone.start(dict.fromkeys(range(PARTITIONS), BEGINNING))
            line.sources = [alone, KafkaSource(settings, service, f"{service}-group", marks=line.marks)]
            relay = Relay(log, engine, settings)
            tasks = [asyncio.create_task(work) for work in (relay.run(), line.read(0), line.read(1))]
            for source in line.sources:
                resources.push_async_callback(source.close)
            resources.push_async_callback(_end, tasks)
            made.append(line)
        yield made


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _moved(made: Sequence[Line], within: float) -> None:
    """Append to every partition, and wait until both readers of every line have it."""
    await asyncio.gather(*(append(line.log, 1) for line in made))
    until = time.monotonic() + within
    for line in made:
        heads = dict(enumerate(await line.log.heads()))
        while not all(reached == heads for reached in line.reached):
            assert time.monotonic() < until, f"{line.reached} instead of {heads}"
            await asyncio.sleep(0.05)


def _counted(made: Sequence[Line]) -> float:
    """Producers and consumers that were made anew, as the metrics tell."""
    total = 0.0
    for line in made:
        for name in ("guildhall_stream_rebuilt_total", "guildhall_relay_producers_total"):
            total += REGISTRY.get_sample_value(name, {"service": line.log.service}) or 0.0
    return total
