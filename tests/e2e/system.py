"""A whole local system, as a newcomer starts it: by the command line, in a state folder of its own, on a free port."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx

ROOT = Path(__file__).parents[2]
START_DEADLINE = 400.0  # the first start ever downloads the broker
SETTLE_DEADLINE = 120.0


@dataclass
class LocalSystem:
    home: Path
    port: int
    client: httpx.Client | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: str, deadline: float = 120.0) -> subprocess.CompletedProcess[str]:
        """One `guildhall` command to its end; output and errors together."""
        return subprocess.run(
            self._command(*arguments),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=deadline,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """One `guildhall` command, not waited for."""
        return subprocess.Popen(self._command(*arguments), cwd=ROOT, stdout=subprocess.DEVNULL, text=True)

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "deploy.cli", *arguments, "--home", str(self.home)]

    def up(self) -> None:
        started = self.run("up", "--detach", "--no-demo", "--port", str(self.port), deadline=START_DEADLINE)
        assert started.returncode == 0, started.stdout
        self._disconnect()
        headers = {"Authorization": f"Bearer {self.run('token').stdout.strip()}"}
        self.client = httpx.Client(base_url=self.origin, headers=headers, timeout=60.0, trust_env=False)

    def down(self) -> None:
        self._disconnect()
        stopped = self.run("down")
        assert stopped.returncode == 0, stopped.stdout

    def _disconnect(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None

    def kill(self) -> None:
        """kill -9 of the supervisor and every process it had started, as a power cut would."""
        state = json.loads((self.home / "state.json").read_text())
        for pid in (state["supervisor"], *(process["pid"] for process in state["processes"])):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def bring_in(self, folder: Path, community: str, *more: str) -> str:
        """Import a dump; gives what the terminal showed."""
        done = self.run("import", "stackexchange", str(folder), "--community", community, *more, deadline=300)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def settle(self, community: str) -> None:
        """Wait until every event is relayed and projected, and the API says of itself that nothing is missing."""
        until = time.monotonic() + SETTLE_DEADLINE
        while True:
            services = json.loads(self.run("status", "--json").stdout)["services"]
            projected = services and all(one["relay_lag"] == 0 and one["projection_lag"] == 0 for one in services)
            # Null before the service has first heard where the topics end.
            if projected and self.metrics(community, "activity")["freshness"]["lag_events"] == 0:
                return
            assert time.monotonic() < until, services
            time.sleep(0.2)

    def listed(self, community: str, path: str, *, limit: int) -> list[dict[str, Any]]:
        """A whole list of a community, page by page."""
        assert self.client is not None, "it is not up"
        items: list[dict[str, Any]] = []
        page: dict[str, str | int] = {"limit": limit}
        while True:
            answer = self.client.get(f"/v1/communities/{community}/{path}", params=page)
            assert answer.status_code == 200, answer.text
            items += answer.json()["items"]
            if answer.json()["next"] is None:
                return items
            page = {"limit": limit, "cursor": answer.json()["next"]}

    def metrics(self, community: str, name: str, **query: str | int) -> dict[str, Any]:
        """One answer of the metrics APIs."""
        assert self.client is not None, "it is not up"
        answer = self.client.get(f"/v1/communities/{community}/metrics/{name}", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def free_port() -> int:
    """A port for the origin, below those that the system hands out to outgoing connections."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")
