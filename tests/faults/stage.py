"""What a scenario is given: how much to do, the system to hurt, and where its figures go."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from tests.faults.facts import Town
from tests.faults.oracle import Findings, judge
from tests.faults.system import System
from tests.stack import Stack, stack_session


class Figure(msgspec.Struct, frozen=True):
    """One row: what was measured beside what a goal requires. `scale` says how much was done, of how much."""

    goal: str
    what: str
    measured: str
    required: str
    scale: str
    holds: bool


class Stage:
    """One run of scenarios. The system is started when the first of them asks for it, and kept for the others."""

    def __init__(self, *, long: bool, seed: int, say: Callable[[str], None]) -> None:
        self.long = long
        self.seed = seed
        self.figures: list[Figure] = []
        self.scenario = ""
        self._say = say
        self._resources = AsyncExitStack()
        self._system: System | None = None
        self._town: Town | None = None
        self._stack: Stack | None = None

    def choose(self, short: int, long: int) -> int:
        """How many of something; the second is the goal's own figure."""
        return long if self.long else short

    def say(self, text: str) -> None:
        """One line of progress."""
        self._say(f"{self.scenario}: {text}")

    def figure(self, goal: int, what: str, measured: str, required: str, *, holds: bool, scale: str = "") -> None:
        self.figures.append(Figure(f"{goal}", what, measured, required, scale, holds))
        self._say(f"{self.scenario}: {'holds' if holds else 'FALLS SHORT'}: {what}: {measured} (required: {required})")

    async def system(self) -> System:
        if self._system is None:
            folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix="guildhall-faults-"))
            self._system = System(Path(folder) / "home")
            self._resources.push_async_callback(self._system.stop)
            began = time.monotonic()
            await self._system.start()
            self.say(f"the system is up after {time.monotonic() - began:.0f} s, on port {self._system.port}")
        return self._system

    async def town(self) -> Town:
        """The one community of the shared system: its record goes on through all scenarios, judged whole each time."""
        system = await self.system()
        if self._town is None:
            self._town = Town(system.port, system.home, "town")
            await self._town.found()
        return self._town

    def stack(self) -> Stack:
        """PostgreSQL and Kafka alone, for what needs no processes."""
        if self._stack is None:
            self._stack = self._resources.enter_context(stack_session())
        return self._stack

    async def close(self) -> None:
        await self._resources.aclose()

    @asynccontextmanager
    async def live(self, rate: float, clients: int = 16) -> AsyncIterator[Town]:
        """So many of the town's members tell facts meanwhile, that many a second in all."""
        town, done = await self.town(), asyncio.Event()
        living = asyncio.create_task(town.live(rate, done, clients=clients))
        try:
            yield town
        finally:
            done.set()
            await living

    async def judged(self, goal: int, what: str, scale: str, *, rebuilt: bool = False) -> Findings:
        """The oracle's verdict on the shared system as a figure."""
        self.say("judging log, topics and read models by the clients' record")
        findings = await judge(await self.system(), await self.town(), rebuilt=rebuilt)
        required = "0 lost, 0 twice, 0 half" + (", rebuilt equal" if rebuilt else "")
        self.figure(goal, what, str(findings), required, holds=not findings.wrong, scale=scale)
        return findings

    async def settled(self, goal: int, after: str, within: float = 30.0) -> None:
        """How long until everything is everywhere, as a figure."""
        system = await self.system()
        measured, holds = f"not within {within * 2:.0f} s", False
        with contextlib.suppress(AssertionError):
            took = await system.caught_up(within * 2)
            measured, holds = f"{took:.1f} s", took <= within
        self.figure(goal, f"caught up after {after}", measured, f"≤ {within:.0f} s, without a hand", holds=holds)
