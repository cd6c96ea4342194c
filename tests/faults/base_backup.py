"""A base backup of the system's PostgreSQL, and its restore in place, by the tools that come with the server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from pathlib import Path

import asyncpg

from deploy.local import paths
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import SUPERUSER, working_in
from tests.faults.system import System

DEADLINE = 60.0


async def take(system: System, folder: Path) -> None:
    """`pg_basebackup` of the whole server, with the write-ahead log that makes it consistent."""
    postgres = system.parts.postgres
    command = [str(paths.postgres_bin() / "pg_basebackup"), "-D", str(folder), "-X", "stream", "-c", "fast"]
    command += ["-h", LOOPBACK, "-p", str(postgres.port), "-U", SUPERUSER, "--no-password"]
    environment = {**os.environ, "PGPASSWORD": postgres.home.secret(f"postgres-{SUPERUSER}")}
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


async def restore(system: System, folder: Path) -> None:
    """Kill the server, put the backup in the place of its data, and have it started; back when it takes connections.

    The supervisor, which would start the server again on what it had, is stopped meanwhile.
    """
    data = system.parts.postgres.data
    with system.frozen(system.supervisor):
        await system.kill("postgres")
        until = time.monotonic() + DEADLINE
        while working_in(data):
            assert time.monotonic() < until, "sessions outlive their server"
            await asyncio.sleep(0.05)
        _put_in_place(folder, data)
    await answers(system)


def _put_in_place(folder: Path, data: Path) -> None:
    data.rename(data.with_name("data.lost"))
    folder.rename(data)


async def answers(system: System) -> None:
    """Until the server takes connections."""
    until = time.monotonic() + DEADLINE
    while True:
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError):
            await (await system.connect("member")).close()
            return
        assert time.monotonic() < until, "PostgreSQL does not come back"
        await asyncio.sleep(0.05)
