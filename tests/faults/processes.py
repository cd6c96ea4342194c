"""Processes beside the supervisor's: they log into the state folder and never outlive the one who started them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.unroot import launcher

ROOT = Path(__file__).parents[2]


def launch(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    at_death: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start it from the project's folder; `at_death` is what it is sent when we die. Call it from the main thread."""
    prefix = launcher(f"--death-signal={int(at_death)}", f"--parent={os.getpid()}")
    with log.open("ab") as output:
        return subprocess.Popen(
            [*prefix, *command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes], deadline: float = 20.0) -> None:
    """Ask it to end; kill it when it does not."""
    process.terminate()
    try:
        process.wait(deadline)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
