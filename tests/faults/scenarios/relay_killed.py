"""Goal 12: the relays of member and content die, and stand still: answers say what they lack, and refuse nobody."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from tests.faults.facts import Town
from tests.faults.newcomers import LATE, Newcomers, told, welcome
from tests.faults.scenarios.rolling_restart import Replica
from tests.faults.stage import Stage

HURT = ("member", "content")
DEAD, STILL = 11.0, 6.0
"""Seconds after the processes were killed, whose leases last ten: the new ones wait for them and say how far the logs
are meanwhile; and for which they are stopped, when nobody says it.
"""
BACK = 30.0


async def run(stage: Stage) -> None:
    system = await stage.system()
    town = Town(system.port, system.home, "relay-killed", kinds=["reply"])
    rounds = stage.choose(2, 20)
    noticed: list[float] = []
    async with AsyncExitStack() as resources:
        apis = {name: Replica(system, name) for name in HURT}
        for api in apis.values():
            await api.start()
            resources.callback(api.kill)
        ports = {**system.parts.ports, **{name: api.port for name, api in apis.items()}}
        newcomers = Newcomers(town, {name: ports[name] for name in (*HURT, "engagement", "projection")})
        await newcomers.settle(stage)
        await welcome(system, newcomers, BACK)
        for number in range(rounds):
            stage.say(f"killing the workers of {' and '.join(HURT)}, and then stopping them, {number + 1} of {rounds}")
            since = time.time()
            for name in HURT:
                await system.kill(name)
            await asyncio.gather(newcomers.come(DEAD), newcomers.ask(DEAD))
            noticed.append(newcomers.noticed(since))
            await system.caught_up(60)
            with system.frozen(*[await system.pid(name) for name in HURT]):
                since = time.time()
                await asyncio.gather(newcomers.come(STILL), newcomers.ask(STILL))
                noticed.append(newcomers.noticed(since))
            await system.caught_up(60)
        back = await welcome(system, newcomers, BACK)
    scale = f"{rounds} of 20 times"
    await told(stage, newcomers, scale)
    slow = max(noticed)
    stage.figure(
        12, "an answer shows that a relay is away", f"{slow:.1f} s", f"≤ {LATE:.0f} s", holds=slow <= LATE, scale=scale
    )
    required = f"≤ {BACK:.0f} s"
    stage.figure(12, "who joins can post at once again", f"{back:.1f} s", required, holds=back < BACK, scale=scale)
    await stage.settled(12, "relays were killed")
