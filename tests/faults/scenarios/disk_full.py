"""Goal 14: the disks of PostgreSQL and Kafka, 200 MB each, run full: a clear answer, nothing lost, back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from tests.faults.facts import Attempt, Town
from tests.faults.oracle import judge
from tests.faults.scenarios.kill_kafka import relayed_on
from tests.faults.scenarios.kill_postgres import written_again
from tests.faults.stage import Stage
from tests.faults.system import System

RATE = 40.0
SIZE = "200m"
CLEAR, BACK = 5.0, 60.0
FULL = 8.0
"""Seconds the disk stays full."""
SMALL = {"max_wal_size": "64MB", "min_wal_size": "32MB"}


async def run(stage: Stage) -> None:
    times = stage.choose(1, 5)
    with tempfile.TemporaryDirectory(prefix="guildhall-faults-") as folder, contextlib.ExitStack() as mounts:
        system = System(Path(folder) / "home", postgres_settings=SMALL)
        system.home.open()
        disks = {"postgres": system.home.root / "postgres", "kafka": system.home.root / "kafka" / "data"}
        for disk in disks.values():
            mounts.enter_context(mounted(disk))
        try:
            stage.say("a second system is coming up, on disks of 200 MB")
            await system.start()
            town = Town(system.port, system.home, "crowded")
            await town.found()
            await _fill(stage, system, town, disks, times)
            findings = await judge(system, town)
            scale = f"{times} of 5 times each"
            required = "0 lost, 0 twice, 0 half, rebuilt equal"
            holds = not findings.wrong
            stage.figure(14, "after disks were full", str(findings), required, holds=holds, scale=scale)
        finally:
            await system.stop()


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """A file system in memory there. Raises where this process may not mount: the scenario cannot be played then."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"A small disk needs the right to mount a tmpfs (root in CI has it): {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def full(disk: Path) -> Iterator[None]:
    """No byte is left on that disk."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        free = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize))
    try:
        yield
    finally:
        ballast.unlink()


async def _fill(stage: Stage, system: System, town: Town, disks: dict[str, Path], times: int) -> None:
    done = asyncio.Event()
    living = asyncio.create_task(town.live(RATE, done))
    answers: dict[str, list[Attempt]] = {"postgres": [], "kafka": []}
    back: dict[str, list[float]] = {"postgres": [], "kafka": []}
    for number in range(times):
        for name, disk in disks.items():
            await asyncio.sleep(2)
            stage.say(f"the disk of {name} is full for {FULL:.0f} s, {number + 1} of {times}")
            began = time.monotonic()
            with full(disk):
                if name == "postgres":
                    await _need_room(system)
                await asyncio.sleep(FULL)
                answers[name] += [attempt for attempt in town.attempts if attempt.began >= began]
            back[name].append(await (written_again(town, 120) if name == "postgres" else relayed_on(system, 120)))
    done.set()
    await living
    scale = f"{times} of 5 times each"
    for name, allowed, required in (("postgres", {201, 503}, "201 or a clear 503"), ("kafka", {201}, "all 2xx")):
        statuses = {attempt.status: 0 for attempt in answers[name]}
        for attempt in answers[name]:
            statuses[attempt.status] += 1
        slowest = max(attempt.took for attempt in answers[name])
        holds = statuses.keys() <= allowed and slowest <= CLEAR
        measured, required = f"{statuses}, slowest {slowest:.2f} s", f"{required} within {CLEAR:.0f} s"
        stage.figure(14, f"answers while the disk of {name} is full", measured, required, holds=holds, scale=scale)
        slow = max(back[name])
        required = f"≤ {BACK:.0f} s after there is room"
        stage.figure(14, f"{name} is back", f"{slow:.1f} s", required, holds=slow <= BACK, scale=scale)
    await system.caught_up(60)


async def _need_room(system: System) -> None:
    """Let the log of PostgreSQL itself need a new file; what befalls it then is the point."""
    with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection = await system.connect("member")
        for _ in range(8):
            await connection.execute("select pg_switch_wal()")
            await connection.execute("create table if not exists room_needed (n int)")
            await connection.execute("drop table room_needed")
