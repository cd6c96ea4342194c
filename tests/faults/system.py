"""A whole local system to be hurt: its processes by name, the proxies before PostgreSQL and Kafka, how far all is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import asyncpg

from deploy.local import measures, ports
from deploy.local.home import Home
from deploy.local.identity import same
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import working_in
from deploy.local.service import SERVICES
from deploy.local.system import System as Parts
from shared.settings import Settings
from tests.e2e.system import free_port
from tests.faults.host import OPEN
from tests.faults.processes import ROOT, end, launch
from tests.faults.proxy import Proxy
from tests.stack import Stack

START_DEADLINE = 300.0  # the first start ever downloads the broker


class System:
    """Started by `start` in an empty folder, ended by `stop`; meanwhile nobody but its own supervisor mends it."""

    def __init__(
        self, folder: Path, services: Sequence[str] = SERVICES, postgres_settings: dict[str, str] | None = None
    ) -> None:
        self.services = services
        self.home = Home(folder)
        self.port = free_port()
        self._settings = postgres_settings or {}
        self._host: subprocess.Popen[bytes] | None = None
        self.parts: Parts
        self.postgres: Proxy
        self.kafka: Proxy

    async def start(self) -> None:
        self.home.open()
        self.parts = Parts.at(self.home, self.port)
        given = self.parts.ports
        free = ports.assign(["postgres-proxy", "kafka-proxy"], max(given.values()) + 1, {})
        self.postgres = Proxy(free["postgres-proxy"], given["postgres"])
        self.kafka = Proxy(free["kafka-proxy"], given["kafka"])
        await self.postgres.start()
        await self.kafka.start()
        numbers = [str(self.port), str(self.postgres.port), str(self.kafka.port)]
        settings = [f"{name}={value}" for name, value in self._settings.items()]
        command = [
            sys.executable,
            "-m",
            "tests.faults.host",
            str(self.home.root),
            *numbers,
            ",".join(self.services),
            *settings,
        ]
        self._host = launch(command, self.home.log("host"), at_death=signal.SIGTERM)
        until = time.monotonic() + START_DEADLINE
        while self.home.read("state.json").get("phase") != "running":
            said = self.home.log("host").read_text()[-2000:]
            assert self._host.poll() is None, f"It did not come up:\n{said}"
            assert time.monotonic() < until, f"It does not come up:\n{said}"
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        if self._host is not None:
            await asyncio.to_thread(end, self._host, 60)
        await self.postgres.close()
        await self.kafka.close()

    # Its processes

    def processes(self) -> dict[str, int]:
        """The process ids of those that run, by name."""
        recorded = self.home.read("state.json").get("processes", [])
        return {one["name"]: one["pid"] for one in recorded if one["pid"] and same(one["pid"], one["identity"])}

    async def pid(self, name: str, within: float = 60.0) -> int:
        """The process of that name, waited for where it is just being started again."""
        until = time.monotonic() + within
        while (found := self.processes().get(name)) is None:
            assert time.monotonic() < until, f"{name} was not started again within {within:.0f} s"
            await asyncio.sleep(0.05)
        return found

    async def kill(self, name: str) -> None:
        """kill -9; only the supervisor may bring it back."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(await self.pid(name), signal.SIGKILL)

    @contextlib.contextmanager
    def frozen(self, *pids: int) -> Iterator[None]:
        """SIGSTOP, and SIGCONT at the end."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    async def freeze(self, name: str, seconds: float) -> None:
        """Stop a process for a while; of PostgreSQL all processes, which are not of one group."""
        pids = working_in(self.parts.postgres.data) if name == "postgres" else [await self.pid(name)]
        with contextlib.suppress(ProcessLookupError), self.frozen(*pids):
            await asyncio.sleep(seconds)

    @property
    def supervisor(self) -> int:
        assert self._host is not None
        return self._host.pid

    def restarts(self) -> dict[str, int]:
        return {one["name"]: one["restarts"] for one in self.home.read("state.json").get("processes", [])}

    # Around the proxies: what the oracle and the faults use

    def dsn(self, service: str) -> str:
        return self.parts.postgres.dsn(f"guildhall_{service}", role="postgres")

    async def connect(self, service: str) -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(self.dsn(service), timeout=10)

    def settings(self) -> Settings:
        """Those of the services, but that PostgreSQL is reached directly. Kafka names the proxy as its address."""
        given = {name.removeprefix("GUILDHALL_").lower(): value for name, value in self.parts.settings.items()}
        opened = {"kafka_security_protocol": "PLAINTEXT", "record_secret": ""}
        return Settings.model_validate({**given, **opened, "kafka": f"127.0.0.1:{self.kafka.port}"})

    async def guildhall(self, *arguments: str) -> tuple[int, str]:
        """An operator's command: its exit status, and all that it said."""
        urls = ",".join(f"{name}=http://{LOOPBACK}:{self.parts.ports[name]}" for name in self.services)
        given = {**self.parts.settings, **OPEN, "GUILDHALL_KAFKA": self.settings().kafka}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.cli", *arguments),
            cwd=ROOT,
            env={**os.environ, **given, "GUILDHALL_SERVICE_URLS": urls},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode().strip()

    def stack(self) -> Stack:
        """Its PostgreSQL and Kafka, for tests that bring their own databases and topics."""
        return Stack(self.parts.postgres.dsn(role="postgres"), f"127.0.0.1:{self.kafka.port}")

    # How far everything is

    async def behind(self) -> str:
        """What is not everywhere yet, in words; empty when everything is."""
        ports = {name: port for name, port in self.parts.ports.items() if name in self.services}
        found = await asyncio.to_thread(measures.ask, ports)
        if any(one.written is None or one.projected is None for one in found):
            return "a service does not answer"
        return ", ".join(
            f"{one.service}: relay {one.relay_lag}, views {one.projection_lag} behind" for one in found if one.behind
        )

    async def caught_up(self, within: float) -> float:
        """Seconds until every event is relayed and folded by every view; fails after so many."""
        began = time.monotonic()
        while what := await self.behind():
            assert time.monotonic() - began < within, f"not caught up within {within:.0f} s: {what}"
            await asyncio.sleep(0.1)
        return time.monotonic() - began
