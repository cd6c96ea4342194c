"""Memory of processes, as Linux tells it: pages that several share are counted in each by its share (PSS)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

MEGABYTE = 1_000_000
PAUSE = 0.25
"""Seconds between two looks."""


def used(pid: int, besides: Collection[int] = ()) -> float:
    """Megabytes a process and its children use, `besides` and theirs left out; 0 when there is none any more."""
    total = 0
    for each in family(pid, besides):
        with suppress(OSError):
            for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total / MEGABYTE


def used_by_each(processes: Mapping[str, int]) -> dict[str, float]:
    """Megabytes that each of these processes uses, by name; one that has started another is counted without it."""
    return {name: used(pid, [other for other in processes.values() if other != pid]) for name, pid in processes.items()}


def family(pid: int, besides: Collection[int] = ()) -> Iterable[int]:
    """A process and all that descend from it, `besides` and theirs left out."""
    yield pid
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                if int(child) not in besides:
                    yield from family(int(child), besides)


@asynccontextmanager
async def most(processes: Mapping[str, int]) -> AsyncIterator[dict[str, float]]:
    """The most that each of these processes uses meanwhile, in megabytes by name."""
    seen = used_by_each(processes)

    async def look() -> None:
        while True:
            await asyncio.sleep(PAUSE)
            for name, megabytes in used_by_each(processes).items():
                seen[name] = max(seen[name], megabytes)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.wait([looking])
