"""Goal 7: Kafka is killed and stays away under load: the API does not feel it, the relay goes on by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from tests.faults.facts import Attempt, Town, p99
from tests.faults.stage import Stage
from tests.faults.system import System

RATE = 100.0
RESUMED, STOPPED = 10.0, 5.0
SLOWER = 1.2


async def run(stage: Stage) -> None:
    system = await stage.system()
    kills, outage = stage.choose(2, 50), stage.choose(12, 300)
    resumed: list[float] = []
    with_it: list[Attempt] = []
    without: list[Attempt] = []
    async with stage.live(RATE) as town:
        await asyncio.sleep(3)
        before = {name: n for name, n in system.restarts().items() if name != "kafka"}
        for number in range(kills):
            stage.say(f"kill -9 of Kafka, {number + 1} of {kills}")
            await asyncio.sleep(2)
            away, killed = time.monotonic(), await system.pid("kafka")
            await system.kill("kafka")
            await _back(system, killed)
            without += _since(town, away)
            resumed.append(await relayed_on(system))
        # In turns, so that whatever else the machine does troubles both alike.
        for _ in range(3):
            stage.say(f"{outage // 3} s with Kafka and {outage // 3} s without")
            began = time.monotonic()
            await asyncio.sleep(outage / 3)
            with_it += _since(town, began)
            began = time.monotonic()
            system.kafka.cut()
            await asyncio.sleep(outage / 3)
            without += _since(town, began)
            system.kafka.mend()
            resumed.append(await relayed_on(system))
        same = {name: n for name, n in system.restarts().items() if name != "kafka"} == before
        stage.say("stopping a service while Kafka is away")
        system.kafka.cut()
        await asyncio.sleep(2)
        stopped = await _stop(system, "feedback")
        system.kafka.mend()
    scale = f"{kills} of 50 restarts, {outage} of 300 s away"
    errors = [attempt for attempt in without if attempt.status != 201]
    stage.figure(
        7,
        "answers while Kafka is away",
        f"{len(without):,}, {len(errors)} not 2xx",
        "all 2xx",
        holds=not errors and len(without) > 0,
        scale=scale,
    )
    ratio = p99(without) / p99(with_it)
    stage.figure(
        7,
        "p99 while Kafka is away",
        f"{p99(without):.0f} ms, {ratio:.2f} × that with it ({p99(with_it):.0f} ms)",
        f"≤ {SLOWER} ×",
        holds=ratio <= SLOWER,
        scale=scale,
    )
    slow = max(resumed)
    measured = f"{slow:.1f} s, {'no service' if same else 'a service was'} started again"
    required = f"≤ {RESUMED:.0f} s, no service started again"
    stage.figure(7, "relays go on once it is back", measured, required, holds=slow <= RESUMED and same, scale=scale)
    required = f"≤ {STOPPED:.0f} s"
    stage.figure(7, "a stop while Kafka is away", f"{stopped:.1f} s", required, holds=stopped <= STOPPED)
    await stage.settled(7, "Kafka was away")
    await stage.judged(7, "after Kafka was away", scale)


def _since(town: Town, began: float) -> list[Attempt]:
    return [attempt for attempt in town.attempts if attempt.began >= began]


async def _back(system: System, killed: int) -> None:
    """Wait until the supervisor says that another broker is ready; for a moment it still says so of the old one."""
    while True:
        state = {one["name"]: one["state"] for one in system.home.read("state.json")["processes"]}
        if state["kafka"] == "ready" and system.processes().get("kafka", killed) != killed:
            return
        await asyncio.sleep(0.05)


async def relayed_on(system: System, deadline: float = 60.0) -> float:
    """Seconds until each relay has come past where its log is now."""
    began = time.monotonic()
    wanted = {name: await _sum(system, name, "log_partition") for name in ("content", "feedback", "engagement")}
    while any([await _sum(system, name, "relay_checkpoint") < n for name, n in wanted.items()]):
        if time.monotonic() - began > deadline:
            return deadline
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def _sum(system: System, service: str, table: str) -> int:
    connection = await system.connect(service)
    try:
        return int(await connection.fetchval(f"select sum(position) from {table}"))
    finally:
        await connection.close()


async def _stop(system: System, name: str) -> float:
    """Seconds from SIGTERM to the process's end; the supervisor starts it again."""
    pid = await system.pid(name)
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    while system.processes().get(name) == pid:
        await asyncio.sleep(0.02)
    return time.monotonic() - began
