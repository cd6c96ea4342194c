"""A process id alone proves nothing, it is used again; a process is its id and the moment it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def identity(pid: int) -> str | None:
    """What tells this process from a later one with the same id; None when it is gone or only a zombie."""
    if sys.platform != "linux":
        shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True)  # noqa: S603, S607
        state, _, started = shown.stdout.strip().partition(" ")
        return started.strip() if state and not state.startswith("Z") else None
    try:
        # The name may hold spaces and brackets; the fields after the last bracket do not.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (OSError, ValueError):
        return None
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def same(pid: int, recorded: str) -> bool:
    return identity(pid) == recorded


def end(pid: int, recorded: str, first: signal.Signals, deadline: float) -> bool:
    """End a process found by its record: ask, wait, then kill it and its group. False when it was gone."""
    if not same(pid, recorded):
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, first)
    until = time.monotonic() + deadline
    while same(pid, recorded) and time.monotonic() < until:
        time.sleep(0.05)
    if same(pid, recorded):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        while same(pid, recorded) and time.monotonic() < until + 5:
            time.sleep(0.02)
    return True


def holder_of(port: int) -> str | None:
    """Who listens on a port, as `name (pid)`, where the system tells us (Linux, own or root's processes)."""
    inodes: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for folder in Path("/proc").glob("[0-9]*") if inodes else ():
        with contextlib.suppress(OSError):
            if any(os.readlink(link) in inodes for link in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text().strip()} (process {folder.name})"
    return None
