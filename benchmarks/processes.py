"""Other processes of a measurement: started with their settings, waited for until they listen, stopped at the end."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

from deploy.local import ports
from shared.settings import Settings

DEADLINE = 60.0
"""Seconds a process has to listen."""
STOPPING = 15.0
"""Seconds it has to end when it is asked to."""


def free_port() -> int:
    return ports.assign(["it"], random.randrange(20000, 29000), {})["it"]


@dataclass(frozen=True, slots=True)
class Served:
    port: int
    pid: int


@asynccontextmanager
async def service(name: str, only: str, settings: Settings) -> AsyncIterator[int]:
    """`guildhall run NAME --only ONLY` as in a real run; the port it listens on."""
    async with served(name, only, settings) as it:
        yield it.port


@asynccontextmanager
async def served(name: str, only: str, settings: Settings) -> AsyncIterator[Served]:
    """As `service`; with its process id."""
    given = {
        "GUILDHALL_DATABASE_URL": settings.database_url,
        "GUILDHALL_KAFKA": settings.kafka,
        "GUILDHALL_PARTITIONS": str(settings.partitions),
        "GUILDHALL_JWKS": settings.jwks,
        "GUILDHALL_LOG_LEVEL": "warning",
        "GUILDHALL_DEVELOPMENT": "true",  # the secrets of this process, too, are the known ones
    }
    port = free_port()
    async with listening(port, "deploy.cli", "run", name, "--only", only, "--port", str(port), **given) as pid:
        yield Served(port, pid)


@asynccontextmanager
async def listening(port: int, module: str, *arguments: str, **variables: str) -> AsyncIterator[int]:
    """`python -m MODULE ARGUMENTS`, once it listens on its port; its id. Raises with what it said when it does not."""
    with tempfile.TemporaryFile() as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, stdout=output, stderr=output, env={**os.environ, **variables}
        )
        try:
            async with asyncio.timeout(DEADLINE):
                while not ports.answers(port):
                    if process.returncode is not None:
                        raise RuntimeError(f"{module} {' '.join(arguments)} did not start:\n{_said(output)}")
                    await asyncio.sleep(0.05)
            yield process.pid
            if process.returncode is not None:
                raise RuntimeError(f"{module} {' '.join(arguments)} ended:\n{_said(output)}")
        finally:
            if process.returncode is None:
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOPPING)
            except TimeoutError:
                process.kill()
                await process.wait()


def _said(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode(errors="replace")[-2000:]
