"""What dies is started again, with growing pauses, and told in one line; everything stops in reverse order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from deploy.local import problems
from deploy.local.component import Component
from deploy.local.home import Home
from deploy.local.identity import identity
from deploy.local.problems import LocalError

# Seconds before the next start. Everything stands on PostgreSQL and Kafka: one that was killed a few times in a row
# must not be left lying for half a minute, and a start every few seconds costs little where it keeps failing.
PAUSES = (0.2, 0.5, 1.0, 2.0, 3.0)
STEADY = 30.0  # seconds up after which earlier deaths are forgotten


@dataclass
class Watch:
    """What the supervisor knows of one process."""

    component: Component
    state: str = "starting"  # starting, ready, restarting, stopped
    since: float = 0.0
    restarts: int = 0
    failures: int = 0


class Supervisor:
    """Owns the processes of one state folder; runs on one event loop in the main thread."""

    def __init__(self, home: Home, say: Callable[[str], None]) -> None:
        self.home, self.say = home, say
        self.watches: list[Watch] = []
        self.phase = "starting"
        self._guards: list[asyncio.Task[None]] = []

    async def start(self, component: Component) -> None:
        """Prepare and start a component, wait until it is ready, and watch it from then on."""
        await asyncio.to_thread(component.prepare)
        watch = Watch(component, since=time.time())
        self.watches.append(watch)
        component.start()
        self.record()
        await self._until_ready(component, component.start_deadline)
        watch.state = "ready"
        self.record()
        self._guards.append(asyncio.create_task(self._guard(watch)))

    async def start_all(self, components: Iterable[Component]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for component in components:
                    group.create_task(self.start(component))
        except ExceptionGroup as several:
            raise several.exceptions[0] from None  # the first one's words are the ones to show

    async def _until_ready(self, component: Component, deadline: float) -> None:
        until = time.monotonic() + deadline
        while not await asyncio.to_thread(component.ready):
            component.raise_if_dead()
            if time.monotonic() > until:
                why = await asyncio.to_thread(component.reason)
                raise problems.not_ready(component.title, deadline, why, component.log)
            await asyncio.sleep(0.05)

    async def _guard(self, watch: Watch) -> None:
        component = watch.component
        while True:
            await asyncio.sleep(0.2)
            if component.pid is not None:
                component.keep_log_small()
                if watch.failures and watch.state == "ready" and time.time() - watch.since > STEADY:
                    watch.failures = 0
                continue
            how = ended(component.process.returncode if component.process else None)
            pause = PAUSES[min(watch.failures, len(PAUSES) - 1)]
            watch.restarts, watch.failures, watch.state = watch.restarts + 1, watch.failures + 1, "restarting"
            self.say(f"{component.title} {how}; starting it again (no. {watch.restarts}) in {pause:g} s")
            self.record()
            component.kill()  # what its group left behind must not hold the port
            await asyncio.sleep(pause)
            await self._restart(watch)

    async def _restart(self, watch: Watch) -> None:
        component = watch.component
        try:
            await asyncio.to_thread(component.prepare)
            component.start()
            watch.since = time.time()
            self.record()
            await self._until_ready(component, component.start_deadline)
        except LocalError as error:
            self.say(f"{component.title} did not come back: {error.what.splitlines()[0]} (see {component.log})")
            component.kill()
            return
        except OSError as error:
            self.say(f"{component.title} could not be started: {error}")
            return
        watch.state = "ready"
        self.record()
        self.say(f"{component.title} is ready again")

    async def stop(self) -> None:
        """Stop everything, the last started first; databases and broker at once, and the last."""
        self.phase = "stopping"
        for guard in self._guards:
            guard.cancel()
        await asyncio.gather(*self._guards, return_exceptions=True)
        ranks = {"gateway": 0, "postgres": 2, "kafka": 2}
        for rank in (0, 1, 2):
            group = [watch for watch in self.watches if ranks.get(watch.component.name, 1) == rank]
            await asyncio.gather(*(asyncio.to_thread(watch.component.stop) for watch in group))
            for watch in group:
                watch.state = "stopped"
        self.record()

    def kill(self) -> None:
        for watch in self.watches:
            watch.component.kill()

    def record(self) -> None:
        """What `status`, `down` and the next `up` need to know, whatever becomes of us."""
        now = {
            "supervisor": os.getpid(),
            "identity": identity(os.getpid()),
            "phase": self.phase,
            "processes": [
                {
                    "name": watch.component.name,
                    "pid": watch.component.pid,
                    "identity": watch.component.identity,
                    "port": watch.component.port,
                    "state": watch.state,
                    "since": watch.since,
                    "restarts": watch.restarts,
                    "signal": int(watch.component.stop_signal),
                }
                for watch in self.watches
            ],
        }
        try:
            self.home.write("state.json", json.dumps(now))
        except OSError as error:  # a full disk must not stop the supervisor from supervising
            self.say(f"the state could not be written: {error.strerror}")


def ended(code: int | None) -> str:
    if code is None:
        return "is gone"
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with status {code}"
