"""A whole local system, as `guildhall up` makes it: bringing a community in, rebuilding a view, and memory meanwhile.

The dump is the French Meta one where it lies beside the checkout (`../shared/data`, or GUILDHALL_DUMP), else the
sample that ships. Rows are the dump's; what a rebuild reads are all events on the topics of the view's sources.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.measuring import Result, figure
from benchmarks.memory import most, used_by_each
from deploy.importers.sample import FOLDER as SAMPLE
from services.projection.read_models.actions import ACTIONS
from services.projection.read_models.responses import RESPONSES
from shared.projections.read_model import ReadModel
from tests.e2e.system import ROOT, LocalSystem, free_port
from tests.positions import positions_of
from tests.stack import Stack

FILES = ("Users", "Posts", "Comments", "Votes")
COMMUNITY = "imported"
SETTLED = 5.0
"""Seconds after the start at which a system is called idle."""
DEADLINE = 300.0

_SECONDS = re.compile(r"; ([\d.]+) s\s*$")


async def measure(_: Stack) -> list[Result]:
    async with local_system() as system:
        return await _measured(system)


@asynccontextmanager
async def local_system() -> AsyncIterator[LocalSystem]:
    """A system of its own, with nothing in it, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        system = LocalSystem(Path(folder) / "home", free_port())
        await asyncio.to_thread(system.up)
        try:
            yield system
        finally:
            await asyncio.to_thread(system.down)


def brought_in(system: LocalSystem, dump: Path, community: str) -> tuple[float, float]:
    """Import a dump: the seconds until everything is in the logs, and until every number is there."""
    began = time.perf_counter()
    system.bring_in(dump, community)
    imported = time.perf_counter() - began
    system.settle(community)
    return imported, time.perf_counter() - began


async def _measured(system: LocalSystem) -> list[Result]:
    processes = _processes(system)
    await asyncio.sleep(SETTLED)
    idle = used_by_each(processes)
    dump = _dump()
    async with most(processes) as under_load:
        imported, settled = await asyncio.to_thread(brought_in, system, dump, COMMUNITY)
        # What is asked first has everything to compute.
        await asyncio.to_thread(system.metrics, COMMUNITY, "influence")
        rebuilds = [await _rebuilt(system, view) for view in (RESPONSES, ACTIONS)]
    rows = sum(map(_rows, dump.iterdir()))
    return [
        figure(f"import of {rows:,} rows", rows / imported, "rows/s"),
        figure("the same until every number is there", rows / settled, "rows/s"),
        *(figure(f"rebuild of {name}, {events:,} events read", rate, "1/s") for name, events, rate in rebuilds),
        *(figure(f"memory of {name}, idle", megabytes, "MB") for name, megabytes in idle.items()),
        *(figure(f"memory of {name}, most under load", megabytes, "MB") for name, megabytes in under_load.items()),
    ]


def _processes(system: LocalSystem) -> Mapping[str, int]:
    state = json.loads((system.home / "state.json").read_text())
    return {"supervisor": state["supervisor"], **{each["name"]: each["pid"] for each in state["processes"]}}


def _dump() -> Path:
    beside = Path(os.environ.get("GUILDHALL_DUMP", ROOT.parent / "shared" / "data" / "french-meta"))
    return beside if beside.is_dir() else SAMPLE


def _rows(file: Path) -> int:
    """Rows of one file of a dump that the importer reads."""
    name = file.name.partition(".")[0]
    if name not in FILES:
        return 0
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return data.count(b"<row ")


async def _rebuilt(system: LocalSystem, view: ReadModel) -> tuple[str, int, float]:
    """The view's name, the events that were read, and how many a second."""
    command = (sys.executable, "-m", "deploy.cli", "rebuild", "projection", view.name)
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={**os.environ, "GUILDHALL_HOME": str(system.home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE):
        output, _ = await process.communicate()
    found = _SECONDS.search(output.decode())
    if process.returncode != 0 or found is None:
        raise RuntimeError(f"the rebuild of {view.name} failed:\n{output.decode()}")
    metric = "activity" if view is ACTIONS else "influence"
    token = (await asyncio.to_thread(system.metrics, COMMUNITY, metric))["freshness"]["positions"]
    positions = positions_of(token, (system.home / "secrets" / "member").read_text().strip())
    events = sum(position for (source, _), position in positions.items() if source in view.sources)
    return view.name, events, events / float(found[1])
