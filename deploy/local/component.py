"""One supervised process: prepared, started, asked whether it is ready, stopped; the same for every kind.

Processes must be started from the main thread: the kernel's parent-death signal follows the thread.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import problems
from deploy.local.home import Home
from deploy.local.identity import identity
from deploy.local.unroot import launcher

LOG_LIMIT = 20 * 1024 * 1024


@dataclass(frozen=True)
class Launch:
    """How to run a process: the command, variables on top of ours, and the signal that stops it in order."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    way: str = "none"


class Component(ABC):
    """Subclasses give `launch`, `ready`, and `prepare` where something must exist before the first start."""

    name: str = "component"
    title: str = "component"
    port: int = 0
    start_deadline: float = 60.0
    stop_deadline: float = 12.0

    def __init__(self, home: Home) -> None:
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None
        self.identity: str | None = None
        self.stop_signal = signal.SIGTERM

    def prepare(self) -> None:  # noqa: B027 - not every process has something to make
        """Make what the process needs; blocking, safe to repeat, and safe to be killed at any point."""

    @abstractmethod
    def launch(self) -> Launch:
        """The command to start and what its environment has besides."""

    @abstractmethod
    def ready(self) -> bool:
        """One quick look; never raises and never waits longer than a second."""

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.poll() is None else None

    @property
    def log(self) -> Path:
        return self.home.log(self.name)

    def start(self) -> None:
        """Start the process; it goes with us when we die. Returns at once: see `ready` and `wait_ready`."""
        assert self.pid is None, f"{self.name} runs already"
        launch = self.launch()
        self.stop_signal = launch.stop_signal
        self.keep_log_small()
        prefix = launcher(f"--way={launch.way}", f"--death-signal={int(launch.stop_signal)}", f"--parent={os.getpid()}")
        with self.home.append(self.name) as log:
            self.process = subprocess.Popen(  # noqa: S603  our own command lines
                [*prefix, *launch.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **launch.environment},
                cwd=self.home.root,
                start_new_session=True,
            )
        self.identity = identity(self.process.pid)

    def keep_log_small(self) -> None:
        """Begin the log anew when it is long, keeping the one before; the process goes on writing to the same file."""
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > LOG_LIMIT:
                shutil.copyfile(self.log, self.log.with_suffix(".log.1"), follow_symlinks=False)
                os.truncate(self.log, 0)

    def wait_ready(self, deadline: float | None = None) -> None:
        """Wait until it is ready; a process that dies meanwhile is reported with the end of its log."""
        limit = deadline or self.start_deadline
        until = time.monotonic() + limit
        while not self.ready():
            self.raise_if_dead()
            if time.monotonic() > until:
                raise problems.not_ready(self.title, limit, self.reason(), self.log)
            time.sleep(0.03)

    def raise_if_dead(self) -> None:
        if self.pid is None:
            raise problems.died_at_start(self.title, self.log, tail(self.log, 6))

    def reason(self) -> str:
        """Why it is not ready, when it says so."""
        return ""

    def stop(self, deadline: float | None = None) -> None:
        """Stop in order; what is left of its group after the deadline is killed."""
        process = self.process
        if process is None:
            return
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self.stop_signal)
                process.send_signal(signal.SIGCONT)  # a process that was paused must hear it
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(deadline or self.stop_deadline)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the whole group, now."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 256 * max(lines, 32)))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []
