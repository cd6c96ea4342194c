"""Whether a process lives, whether it should be sent requests and why not, and how far everything in it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from shared import lag as measuring
from shared.db import FAILED, driver
from shared.events.errors import Unavailable
from shared.service import gauges, migrate
from shared.telemetry.observability import metrics_page
from shared.web import context
from shared.web.runtime import Runtime, machine_clock

PATIENCE = 2.0
"""Seconds the database has to answer a probe."""

router = APIRouter(include_in_schema=False)

PARKED = "select view, count(*) from parked group by view order by view"


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The event loop turns; with this machine's clock, for whoever compares clocks."""
    return {"status": "alive", "time": machine_clock().isoformat()}


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """200 while requests are welcome, else 503 with the reasons. What limps without stopping requests is `degraded`."""
    runtime = context.runtime_of(request)
    reasons = await _reasons(runtime)
    body = {"ready": not reasons, "reasons": reasons, "degraded": list(_degraded(runtime))}
    return JSONResponse(body, 503 if reasons else 200)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """For Prometheus; docs/operations.md lists what there is."""
    await gauges.refresh(context.runtime_of(request))
    page, media_type = metrics_page()
    return Response(page, media_type=media_type)


async def _reasons(runtime: Runtime) -> list[str]:
    if runtime.draining.is_set():
        return ["The service is stopping."]
    try:
        async with asyncio.timeout(PATIENCE), runtime.engine.connect() as connection:
            if not await migrate.current(connection) >= runtime.revision:
                return ["The database is not at the newest schema: run `guildhall migrate`."]
            made = runtime.settings.partitions if runtime.log is None else len(await runtime.log.heads())
    except (*FAILED, Unavailable):
        return ["The database does not answer."]
    if made != runtime.settings.partitions:
        return [f"The log was made with {made} partitions: set GUILDHALL_PARTITIONS={made}."]
    return []


def _degraded(runtime: Runtime) -> Iterator[str]:
    if runtime.settings.development and (known := runtime.settings.known_secrets):
        yield f"Everybody knows the secrets of this installation: {', '.join(known)}."
    if runtime.relay is not None and runtime.relay.state.problem is not None:
        yield f"The relay has a problem: {runtime.relay.state.problem}"
    for part, error in runtime.failing.items():
        yield f"The worker's part {part} failed and is begun again: {error}"
    for readers in runtime.readers:
        for (source, partition), missing in readers.stalled.items():
            yield f"Position {missing} of {source}, partition {partition}, cannot be found; its views stand still."


@router.get("/status")
async def status(request: Request) -> dict[str, Any]:
    """How far everything is.

    `log` and `relayed` are positions by partition, `views` positions by view and source (`…@next` is a rebuild), `lag`
    what each view lacks: events, null while a log does not say how far it is, seconds, and up to when it is complete.
    """
    runtime = context.runtime_of(request)
    heads = [] if runtime.log is None else await runtime.log.heads()
    async with driver(runtime.engine) as connection:
        relayed = [] if runtime.log is None else await measuring.relayed(connection)
        rows = await measuring.watermarks(connection)
        parked = {row["view"]: row["count"] for row in await connection.fetch(PARKED)}
    views: dict[str, dict[str, list[int]]] = {}
    for row in rows:
        views.setdefault(row["view"], {}).setdefault(row["source"], []).append(row["position"])
    lag = {}
    for view in runtime.views:
        found = await runtime.watch.freshness(view)
        lag[view.name] = {
            "events": found.lag_events,
            "seconds": found.lag_seconds,
            "complete_until": found.complete_until,
        }
    return {
        "service": runtime.service,
        "log": heads,
        "relayed": relayed,
        "views": views,
        "lag": lag,
        "parked": parked,
        "relay": None if runtime.relay is None else runtime.relay.state.state,
        "degraded": list(_degraded(runtime)),
    }
