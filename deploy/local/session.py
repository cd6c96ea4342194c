"""One run of `guildhall up`: the lock, the signals, the way into the background, and the orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time

from rich.console import Console

from deploy.local import orphans, problems, summary, visitor
from deploy.local.home import Home
from deploy.local.identity import identity
from deploy.local.progress import Progress
from deploy.local.service import guildhall
from deploy.local.supervisor import Supervisor
from deploy.local.system import System
from deploy.local.up import bring_up

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def already_running(home: Home, console: Console) -> bool:
    """Say so when it runs; raises when another one is only on its way up or down."""
    if not home.is_locked():
        return False
    state = home.read("state.json")
    if home.supervisor() is None or state.get("phase") != "running":
        raise problems.already_starting(home.root, home.supervisor())
    console.print(f"Guildhall is running already (process {state['supervisor']}).")
    summary.addresses(console, f"http://127.0.0.1:{home.read('ports.json').get('origin')}")
    return True


def run(home: Home, port: int, console: Console, *, demo: bool, ready_fd: int | None = None) -> None:
    """Bring the system up and keep it up until a signal; returns when all is stopped."""
    os.umask(0o077)  # what the processes make is for their user alone, too
    with home.open().lock():
        asyncio.run(_run(home, port, Progress(console), demo=demo, ready_fd=ready_fd))


async def _run(home: Home, port: int, progress: Progress, *, demo: bool, ready_fd: int | None) -> None:
    # Before ports are judged, because they may hold them.
    if left := await asyncio.to_thread(orphans.clear, home):
        progress.say(f"ended {left} processes that a killed supervisor had left behind")
    supervisor = Supervisor(home, progress.say)
    supervisor.record()
    system = System.at(home, port)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if asked.is_set():  # asked twice: now
            supervisor.kill()
            os._exit(130)
        asked.set()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal)
    rising = asyncio.create_task(bring_up(system, supervisor, progress, demo=demo))
    waiting = asyncio.create_task(asked.wait())
    visiting = asyncio.create_task(visitor.keep(home))
    try:
        await asyncio.wait({rising, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if rising.done():
            await rising
            if ready_fd is not None:
                progress.console.print("\nIt goes on in the background; guildhall down stops it.")
                _into_background(home, ready_fd)
            else:
                progress.console.print("\nCtrl-C stops everything.")
            await waiting
    finally:
        rising.cancel()
        waiting.cancel()
        visiting.cancel()
        await asyncio.gather(rising, waiting, visiting, return_exceptions=True)
        progress.console.print("Stopping …")
        began = time.monotonic()
        await supervisor.stop()
        progress.console.print(f"Stopped in {time.monotonic() - began:.1f} s.")


def _into_background(home: Home, ready_fd: int) -> None:
    """Give the terminal back: from here on our words go to a log, and the one who waits may go."""
    sys.stdout.flush()
    sys.stderr.flush()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    with home.append("supervisor") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.write(ready_fd, b"ready")
    os.close(ready_fd)


def detach(home: Home, port: int, *, demo: bool) -> int:
    """Run `up` in a session of its own and wait until it is ready; its exit code when it fails."""
    reading, writing = os.pipe()
    command = guildhall("up", "--home", str(home.root), "--port", str(port), f"--ready-fd={writing}")
    command = command if demo else [*command, "--no-demo"]
    child = subprocess.Popen(command, pass_fds=[writing], start_new_session=True)  # noqa: S603
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            if pipe.read() == b"ready":
                return 0
        return child.wait() or 1
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        return 130


def down(home: Home, console: Console, deadline: float = 60.0) -> None:
    """Stop the supervisor and with it all; what a killed one left behind is ended too."""
    pid = home.supervisor() if home.is_locked() else None
    if pid is not None:
        recorded = identity(pid)
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + deadline
        while home.is_locked() and time.monotonic() < until:
            time.sleep(0.05)
        if home.is_locked() and recorded is not None and identity(pid) == recorded:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.2)
    if not home.root.exists():
        console.print(f"Nothing runs; there is no state folder at {home.root}.")
        return
    with home.lock():
        left = orphans.clear(home)
    if pid is not None:
        console.print("Everything is stopped.")
    elif left:
        console.print(f"Ended {left} processes that a killed supervisor had left behind.")
    else:
        console.print("Nothing runs.")
