"""Goal 2: everything is killed, stopped and cut, again and again, under load; then nothing is missing or doubled."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

from deploy.local.service import SERVICES
from tests.faults.proxy import Proxy
from tests.faults.stage import Stage
from tests.faults.system import System

SHARES = {"kill a service": 110, "kill postgres": 40, "kill kafka": 20, "stop a process": 20, "hurt a connection": 10}
"""Of 200 faults, as the goal has it."""
RATE, CLIENTS = 100.0, 64
"""Many, because each may wait some seconds for its answer whenever something is away."""
LEASE = 11.0
"""Seconds a process is stopped: longer than a lease and a consumer's session last."""
PROCESSES = (*SERVICES, "gateway")


async def run(stage: Stage) -> None:
    count, least = stage.choose(40, 200), stage.choose(0, 100_000)
    told = await storm(stage, count, least, random.Random(stage.seed))
    await stage.settled(2, f"{count} faults")
    scale = f"{count} of 200 faults under {told:,} of 100,000 facts"
    await stage.judged(2, "after killing, stopping and cutting everything", scale, rebuilt=True)


async def storm(stage: Stage, count: int, least: int, rng: random.Random) -> int:
    """That many faults in the goal's proportions, in random order, some of them at the same time; the facts told.

    Those are `least` at least: so many, in equal parts, are waited for before the next fault.
    """
    system = await stage.system()
    plan = [kind for kind, share in SHARES.items() for _ in range(max(1, share * count // 200))]
    rng.shuffle(plan)
    # In turn, so that everything is hit.
    killed = itertools.cycle(rng.sample(PROCESSES, len(PROCESSES)))
    stopped = itertools.cycle(rng.sample([*PROCESSES, "postgres", "kafka"], len(PROCESSES) + 2))
    going: set[asyncio.Task[None]] = set()
    done: Counter[str] = Counter()
    async with stage.live(RATE, CLIENTS) as town:
        before = len(town.facts)
        for number, kind in enumerate(plan, 1):
            task = asyncio.create_task(_hurt(system, kind, killed, stopped, rng))
            going.add(task)
            task.add_done_callback(going.discard)
            done[kind] += 1
            await asyncio.sleep(rng.uniform(0.5, 3.5))
            while len(town.facts) - before < least * number // count:
                await asyncio.sleep(0.1)
            if number % 10 == 0:
                stage.say(f"{number} of {len(plan)} faults, {len(town.facts):,} facts")
        await asyncio.gather(*going)
    stage.say(f"{len(plan)} faults: {', '.join(f'{n} × {kind}' for kind, n in sorted(done.items()))}")
    return len(town.facts) - before


async def _hurt(system: System, kind: str, killed: Iterator[str], stopped: Iterator[str], rng: random.Random) -> None:
    match kind:
        case "kill a service":
            await system.kill(next(killed))
        case "kill postgres":
            await system.kill("postgres")
        case "kill kafka":
            await system.kill("kafka")
        case "stop a process":
            with contextlib.suppress(ProcessLookupError):
                await system.freeze(next(stopped), LEASE)
        case _:
            proxy = rng.choice((system.postgres, system.kafka))
            await rng.choice(WAYS)(proxy, rng)


async def _cut(proxy: Proxy, rng: random.Random) -> None:
    proxy.cut()
    await asyncio.sleep(rng.uniform(0.1, 3))
    proxy.mend()


async def _delay(proxy: Proxy, rng: random.Random) -> None:
    proxy.delay(rng.uniform(0.05, 0.5))
    await asyncio.sleep(rng.uniform(1, 5))
    proxy.mend()


async def _swallow(proxy: Proxy, rng: random.Random) -> None:
    proxy.swallow()
    await asyncio.sleep(rng.uniform(2, 12))
    proxy.mend()


WAYS: tuple[Callable[[Proxy, random.Random], Awaitable[None]], ...] = (_cut, _delay, _swallow)
