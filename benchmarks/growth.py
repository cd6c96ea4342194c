"""How reading, refresh, rebuild, memory and disk grow from 1 to 10 to 100 in members, in facts and in communities.

1 is a community of 1,000 members and 100,000 facts; each dimension grows apart from the others, more communities of
that size each. Rebuild grows in events alone, 10,000 to 1,000,000 on the topics; import in the rows of a dump, 1,000 to
100,000, brought into one running system one after the other. Writes docs/growth.json, from which
`benchmarks/growth_plot.py` draws docs/growth.svg.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import asyncpg
import httpx2 as httpx
import msgspec

from benchmarks import growth_plot, made_dump
from benchmarks.history import history
from benchmarks.made_databases import made, server
from benchmarks.measuring import Result, figure, until
from benchmarks.memory import used
from benchmarks.reads import Api, api, first_answer, questions
from benchmarks.synthetic import Size
from benchmarks.system import brought_in, local_system
from benchmarks.topics import publish
from deploy.local.postgres import Postgres
from services.projection.app import SERVICE
from services.projection.read_models.responses import RESPONSES
from shared.db import create_engine
from shared.projections.rebuild import rebuild
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.settings import Settings
from shared.subscription.kafka_source import KafkaSource
from tests.databases import fresh_database
from tests.stack import Stack, stack_session

FILE = Path(__file__).parents[1] / "docs" / "growth.json"
SECONDS = 3.0
"""For each question at each size."""
STEPS = (1, 10, 100)
SIZES = {
    "members": [Size(1_000 * n, 100_000) for n in STEPS],
    "facts": [Size(1_000, 100_000 * n) for n in STEPS],
    "communities": [Size(1_000 * n, 100_000 * n, n) for n in STEPS],
}
EVENTS = (10_000, 100_000, 1_000_000)
ROWS = (1_000, 10_000, 100_000)
ASKED = {
    "activity over a year by day": "activity, a year by day",
    "influence, first 50": "influence, first 50",
    "influence as of a day not asked before": "influence as of another day",
    "explanation of the most influential, first page of 10,000": "explanation",
}

Curves = dict[str, dict[str, list[float]]]
"""By dimension and by what was measured, the figures at each step; `unit` is the end of the name."""


async def measure(stack: Stack) -> list[Result]:
    curves = await _grow_all(stack, [*SIZES, "events", "rows"])
    return [
        figure(f"{name.rpartition(', ')[0]} at {step} × {dimension}", value, name.rpartition(", ")[2])
        for dimension, figures in curves.items()
        for name, values in figures.items()
        for step, value in zip(STEPS, values, strict=True)
    ]


def keep(curves: Curves) -> None:
    """Put these curves in the place of those of the same dimensions, and draw all."""
    known = msgspec.json.decode(FILE.read_bytes(), type=Curves) if FILE.exists() else {}
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode({**known, **curves}), indent=2) + b"\n")
    growth_plot.draw(msgspec.json.decode(FILE.read_bytes(), type=Curves))


async def _grow(stack: Stack, dimension: str, curves: Curves) -> None:
    figures = curves.setdefault(dimension, {})
    with server() as postgres:
        for size in SIZES[dimension]:
            for name, value in (await _at(postgres, stack, size)).items():
                figures.setdefault(name, []).append(value)


async def _at(postgres: Postgres, stack: Stack, size: Size) -> dict[str, float]:
    async with made(postgres, stack, size, keep=False) as (settings, _), api(settings, size) as it:
        found = {"refresh from cold, s": it.cold}
        for question in questions(it.most_influential):
            if question.name in ASKED:
                found[f"{ASKED[question.name]}, ms"] = (await it.load(question.paths, SECONDS)).p50
        await _ask_each(it, size.communities)
        found["memory of the API, MB"] = used(it.pid)
        found["tables and indexes, MB"] = await _disk(settings)
    return found


async def _ask_each(it: Api, communities: int) -> None:
    """Have every community in memory, as far as there is room."""
    headers = {"authorization": f"Bearer {it.token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{it.port}", headers=headers) as client:
        for number in range(communities):
            path = f"/v1/communities/synthetic-{number}/metrics/influence?limit=1"
            await first_answer(client, path, time.perf_counter())


async def _disk(settings: Settings) -> float:
    db = await asyncpg.connect(settings.database_url)
    try:
        return float(await db.fetchval("select pg_database_size(current_database())")) / 1_000_000
    finally:
        await db.close()


async def _events(stack: Stack, curves: Curves) -> None:
    curves["events"] = {"rebuild of responses, s": [await _rebuilt(stack, events) for events in EVENTS]}


async def _rebuilt(stack: Stack, events: int) -> float:
    """Seconds to rebuild the view of responses beside the live one, comparison and taking over included."""
    services = sorted({source for view in SERVICE.topic_read_models for source in view.sources})
    async with fresh_database(stack, SERVICE.metadata) as settings:
        await publish(settings, services, history(events, settings.partitions))
        engine = create_engine(settings, "benchmark")

        def sources() -> list[KafkaSource]:
            return [KafkaSource(settings, source) for source in RESPONSES.sources]

        store = PostgresReadModelStore(engine)
        live = asyncio.create_task(ProjectionRunner([RESPONSES], sources(), store).run())
        try:
            await _read(settings, events)
            report = await rebuild(RESPONSES, engine, sources)
        finally:
            live.cancel()
            await asyncio.wait([live])
            await store.close()
            await engine.dispose()
    assert report.equal, report
    return report.seconds


async def _read(settings: Settings, events: int) -> None:
    """Until the live view has all."""
    db = await asyncpg.connect(settings.database_url)
    try:

        async def all_of_it() -> bool:
            return bool(await db.fetchval("select coalesce(sum(position), 0) >= $1 from watermark", events))

        await until(all_of_it, 0.1)
    finally:
        await db.close()


async def _rows(_: Stack, curves: Curves) -> None:
    figures = curves["rows"] = {"import, s": [], "import until every number is there, s": []}
    async with local_system() as system:
        for rows in ROWS:
            with tempfile.TemporaryDirectory() as folder:
                dump = made_dump.write(Path(folder) / "dump", rows)
                taken = await asyncio.to_thread(brought_in, system, dump, f"of-{rows}")
            for curve, seconds in zip(figures.values(), taken, strict=True):
                curve.append(seconds)


async def _grow_all(stack: Stack, dimensions: Iterable[str]) -> Curves:
    curves: Curves = {}
    others = {"events": _events, "rows": _rows}
    for dimension in dimensions:
        await (others[dimension](stack, curves) if dimension in others else _grow(stack, dimension, curves))
        keep(curves)
    return curves


async def _some(dimensions: list[str]) -> None:
    with stack_session() as stack:
        await _grow_all(stack, dimensions)


if __name__ == "__main__":  # python -m benchmarks.growth members facts communities events rows
    asyncio.run(_some(sys.argv[1:]))
