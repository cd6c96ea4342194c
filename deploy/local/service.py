"""A service is `guildhall run NAME` with its settings in the environment; /readyz says when it may be used."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from deploy.local.component import Component, Launch
from deploy.local.home import Home
from deploy.local.ports import LOOPBACK

# A proxy of the environment is for the world outside, not for our own processes.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SERVICES = ("member", "content", "engagement", "feedback", "projection")


def guildhall(*arguments: str) -> list[str]:
    """The command line of this installation, whatever the shell's PATH says."""
    return [sys.executable, "-m", "deploy.cli", *arguments]


def run_command(name: str) -> list[str]:
    return guildhall("run", name)


class Service(Component):
    start_deadline = 60.0
    stop_deadline = 12.0

    def __init__(
        self,
        home: Home,
        name: str,
        port: int,
        settings: dict[str, str],
        command: Callable[[str], list[str]] = run_command,
    ) -> None:
        super().__init__(home)
        self.name, self.title, self.port = name, f"The {name} service", port
        self.settings, self.command = settings, command

    def launch(self) -> Launch:
        return Launch(self.command(self.name), {**self.settings, "GUILDHALL_PORT": str(self.port)})

    def ready(self) -> bool:
        return self.pid is not None and self._get("/readyz")[0] == 200

    def reason(self) -> str:
        return self._get("/readyz")[1][:300]

    def status(self) -> dict[str, Any]:
        """What the service says of itself at /status; empty when it does not answer."""
        return status_at(self.port)

    def _get(self, path: str) -> tuple[int, str]:
        return _get(self.port, path)


def status_at(port: int) -> dict[str, Any]:
    code, text = _get(port, "/status")
    try:
        found = json.loads(text) if code == 200 else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _get(port: int, path: str) -> tuple[int, str]:
    try:
        with DIRECT.open(f"http://{LOOPBACK}:{port}{path}", timeout=1) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (OSError, ValueError):
        return 0, ""
