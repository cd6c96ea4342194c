"""One seed from its beginning to its end, with time, chance and ids under it; the same seed gives the same trace."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog

from tests.simulation import kafka
from tests.simulation.loop import Loop, Stuck
from tests.simulation.oracle import Violation
from tests.simulation.world import World

FAKES = {"AIOKafkaProducer": kafka.Producer, "AIOKafkaConsumer": kafka.Consumer, "AIOKafkaAdminClient": kafka.Admin}
"""By the name that the kernel's modules know them under."""


@dataclass
class Outcome:
    """What a seed came to."""

    seed: int
    violation: str | None
    faults: Counter[str]
    virtual: float
    events: int
    steps: int
    trace: str
    last: list[str] = field(default_factory=list)


def install() -> None:
    """Put the fakes where the kernel's modules have the clients, and the seed where they have chance."""
    for name, module in list(sys.modules.items()):
        if name.startswith("shared."):
            for attribute, fake in FAKES.items():
                if hasattr(module, attribute):
                    setattr(module, attribute, fake)
            if hasattr(module, "uuid7"):
                setattr(module, "uuid7", _uuid)  # noqa: B010 - it may not be there


def _uuid() -> UUID:
    return UUID(int=random.getrandbits(128))


def quiet() -> None:
    """Only the trace is wanted, not the kernel's own log."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def run_seed(seed: int, tell: Callable[[str], None] | None = None) -> Outcome:
    """One schedule from its beginning to its end."""
    install()
    loop = Loop()
    monotonic, urandom, state = time.monotonic, os.urandom, random.getstate()
    random.seed(seed)
    time.monotonic = loop.time
    os.urandom = random.randbytes
    asyncio.set_event_loop(loop)
    violation: str | None = None
    world = World(seed, loop, tell)
    loop.set_exception_handler(lambda _, context: _unexpected(world, context))
    try:
        loop.run_until_complete(world.run())
    except Violation as error:
        violation = str(error)
    except Stuck:
        violation = "stuck: nothing is left to happen"
    outcome = Outcome(
        seed,
        violation,
        world.faults.done,
        loop.now - 1000,
        sum(map(len, world.index.positions)),
        loop.steps,
        world.digest,
        list(world.last),
    )
    _end(world)
    time.monotonic, os.urandom = monotonic, urandom
    random.setstate(state)
    return outcome


def _unexpected(world: World, context: dict[str, Any]) -> None:
    """What a callback raises is a violation, or a fault of the fakes; what a task raises its awaiter hears."""
    error = context.get("exception")
    if error is not None and "handle" in context:
        world.violated(error)


def _end(world: World) -> None:
    """Let everything end by itself, against servers that are gone; a loop that is closed over it would not survive."""
    loop = world.loop
    world.over()
    for _ in range(5):
        tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.number)  # type: ignore[attr-defined]
        for task in tasks:
            task.cancel()
        for process in world.processes:
            process.alive = True
            process.go_on(loop)
        if not tasks:
            break
        loop.run_until_complete(asyncio.wait(tasks, timeout=30))
    loop.close()
    asyncio.set_event_loop(None)
