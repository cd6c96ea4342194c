"""Memory of processes, as Linux tells it: pages that several share are counted in each by its share (PSS)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

MEGABYTE = 1_000_000
PAUSE = 0.25
"""Seconds between two looks."""


def used(pid: int) -> float:
    """Megabytes a process and its children use; 0 when there is none any more."""
    total = 0
    for each in family(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total / MEGABYTE


def family(pid: int) -> Iterable[int]:
    """A process and all that descend from it."""
    yield pid
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from family(int(child))


@asynccontextmanager
async def most(processes: Mapping[str, int]) -> AsyncIterator[dict[str, float]]:
    """The most that each of these processes uses meanwhile, in megabytes by name."""
    seen = {name: used(pid) for name, pid in processes.items()}

    async def look() -> None:
        while True:
            await asyncio.sleep(PAUSE)
            for name, pid in processes.items():
                seen[name] = max(seen[name], used(pid))

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.wait([looking])
