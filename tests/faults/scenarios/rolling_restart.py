"""Goal 10: two replicas behind the gateway are stopped in turn under load, and the schema changes: no request fails.

There are no event streams over HTTP yet; that part of the goal is left out until there are.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from deploy.local import paths, routes
from deploy.local.ports import answers
from deploy.local.service import _get, guildhall
from tests.e2e.system import free_port
from tests.faults.facts import Town
from tests.faults.processes import end, launch
from tests.faults.stage import Stage
from tests.faults.system import System

RATE = 200.0
SERVICE = "content"
GONE = 10.0
REPLICAS = 2
MIGRATION = """
alter table log_partition add column if not exists noted timestamptz;
alter table thread_list add column if not exists noted text;
create index if not exists ix_noted on thread_list (noted);
alter table log_partition drop column noted;
drop index ix_noted;
alter table thread_list drop column noted;
"""
"""What a migration does to tables that every request uses, there and back."""


class Replica:
    """`guildhall run content --only api`, or another service's, on a port of its own."""

    def __init__(self, system: System, service: str = SERVICE) -> None:
        self._system = system
        self._service = service
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        command = guildhall("run", self._service, "--only", "api", "--port", str(self.port))
        self.process = launch(command, self._system.home.log(f"replica-{self._service}"), self._system.parts.settings)
        while (await asyncio.to_thread(_get, self.port, "/readyz"))[0] != 200:
            assert self.process.poll() is None, "the replica did not start"
            await asyncio.sleep(0.05)

    async def stop(self) -> float:
        """Seconds from SIGTERM to its end."""
        assert self.process is not None
        began = time.monotonic()
        self.process.terminate()
        while self.process.poll() is None:
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


async def run(stage: Stage) -> None:
    system, town = await stage.system(), await stage.town()
    stops = stage.choose(6, 50)
    took: list[float] = []
    async with AsyncExitStack() as resources:
        replicas = [Replica(system) for _ in range(REPLICAS)]
        for replica in replicas:
            await replica.start()
            resources.callback(replica.kill)
        origin = await _gateway(system, [replica.port for replica in replicas], resources)
        through = Town(origin, town.home, town.name, town.thread, ["reply"], town.facts)
        done = asyncio.Event()
        living = asyncio.create_task(through.live(RATE, done, clients=24, tries=1))
        await asyncio.sleep(2)
        for number in range(stops):
            stage.say(f"SIGTERM, {number + 1} of {stops}")
            replica = replicas[number % REPLICAS]
            took.append(await replica.stop())
            await replica.start()
            if number == stops // 2:
                stage.say("changing the schema")
                await _migrate(system)
            await asyncio.sleep(0.5)
        done.set()
        await living
        for replica in replicas:
            await replica.stop()
    statuses = Counter(attempt.status for attempt in through.attempts)
    failed = sum(count for status, count in statuses.items() if status != 201)
    scale = f"{stops} of 50 SIGTERMs, {len(through.attempts):,} requests; no event streams yet"
    seconds = max(attempt.ended for attempt in through.attempts) - through.attempts[0].began
    measured = (
        f"{failed} failed of {len(through.attempts):,} ({len(through.attempts) / seconds:.0f}/s, {dict(statuses)})"
    )
    stage.figure(
        10, "requests while replicas are stopped", measured, f"0 failed at {RATE:.0f}/s", holds=failed == 0, scale=scale
    )
    slow = max(took)
    stage.figure(10, "a replica's end", f"{slow:.1f} s", f"≤ {GONE:.0f} s", holds=slow <= GONE, scale=scale)
    await stage.settled(10, "the last restart")
    await stage.judged(10, "after rolling restarts", scale)


async def _gateway(system: System, ports: Sequence[int], resources: AsyncExitStack) -> int:
    """The generated gateway in front of several replicas of the service; its port."""
    port, folder = free_port(), system.home.root / "replicas"
    folder.mkdir(exist_ok=True)
    upstreams = {SERVICE: {"upstreams": [routes.local(each)["upstreams"][0] for each in ports]}}
    made = routes.routes(upstreams, {SERVICE: routes.contract()[SERVICE]})
    config = folder / "caddy.json"
    config.write_text(json.dumps(routes.config(f"127.0.0.1:{port}", Path(folder), made, upstreams)))
    own = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    process = launch([str(paths.caddy()), "run", "--config", str(config)], system.home.log("replicas-gateway"), own)
    resources.callback(end, process)
    while not await asyncio.to_thread(answers, port):
        assert process.poll() is None, "the gateway did not start"
        await asyncio.sleep(0.05)
    return port


async def _migrate(system: System) -> None:
    connection = await system.connect(SERVICE)
    try:
        await connection.execute("set lock_timeout = '1s'")
        for statement in filter(str.strip, MIGRATION.split(";")):
            await connection.execute(statement)
            await asyncio.sleep(0.5)
    finally:
        await connection.close()
