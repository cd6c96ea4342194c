"""Projection's API on a database of its own, and the logs of the other services that its views follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import repeat
from typing import Any

import httpx2 as httpx
import pytest

from deploy.local.home import Home
from deploy.local.issuer import Issuer
from services.projection.app import SERVICE
from shared.events.event import Event, Recorded
from shared.log.port import Append, NewEvent, Write
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.service.service import create_app
from shared.subscription.log_source import LogSource
from tests.conftest import FreshDatabase
from tests.doubles.log import MemoryLog
from tests.heads import telling
from tests.member.running import Api
from tests.positions import token_of
from tests.projection.histories import COMMUNITY
from tests.projection.records import NOON, recorded

SOURCES = sorted({source for view in SERVICE.topic_read_models for source in view.sources})


@dataclass
class Hall:
    """The running API, and what happens in the other services."""

    api: Api
    partitions: int
    logs: dict[str, MemoryLog] = field(init=False)
    after: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.logs = {name: MemoryLog(name, self.partitions) for name in SOURCES}

    async def happens(self, *records: Recorded) -> None:
        """These events are written to their services' logs, in this order; what is brought in, when it was."""
        for record in records:
            event = NewEvent(record.id, record.type, record.data)
            write = Write(record.stream, record.version - 1, (event,))
            log, by, brought = self.logs[record.service], record.imported_by, record.recorded_at
            log.clock = partial(datetime.now, UTC) if by is None else repeat(brought).__next__
            request = Append(record.community, record.actor, record.occurred_at, None, (write,), imported_by=by)
            (position,) = await log.append(request)
            self.after[record.service, position.partition] = position.position

    async def tells(self, stream: Any, *events: Event) -> None:
        """A stream's events, from its first on."""
        await self.happens(*(recorded(e, NOON, stream=stream, version=v) for v, e in enumerate(events, start=1)))

    async def get(self, path: str, asked: Mapping[str, Any] | None = None, *, expect: int = 200) -> httpx.Response:
        """What the API answers below the community's metrics, when all that has happened is folded."""
        headers = [("guildhall-after", token_of(self.after))] * bool(self.after) + [("prefer", "wait=9")]
        async with self.api.by("somebody") as client:
            answer = await client.get(
                f"/v1/communities/{COMMUNITY}/metrics/{path}", params=asked or {}, headers=headers
            )
        assert answer.status_code == expect, answer.text
        return answer

    async def json(self, path: str, asked: Mapping[str, Any] | None = None) -> Any:
        return (await self.get(path, asked)).json()


@pytest.fixture
async def hall(deaf_hall: Hall) -> AsyncIterator[Hall]:
    async with following(deaf_hall):
        yield deaf_hall


@pytest.fixture
async def deaf_hall(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hall]:
    """One whose views follow nothing."""
    issuer = Issuer(Home(tmp_path_factory.mktemp("home")))
    async with fresh_database(SERVICE.metadata) as settings:
        app = create_app(SERVICE, settings.model_copy(update={"jwks": str(issuer.write_jwks())}), only="api")
        async with app.router.lifespan_context(app):
            yield Hall(Api(app.state.runtime, issuer, httpx.ASGITransport(app)), settings.partitions)


@asynccontextmanager
async def following(hall: Hall) -> AsyncIterator[None]:
    """Projection's views, kept up with the logs."""
    runtime = hall.api.runtime
    store = PostgresReadModelStore(runtime.engine)
    sources = [LogSource(log) for log in hall.logs.values()]
    reader = ProjectionRunner(SERVICE.topic_read_models, sources, store, movement=runtime.movement)
    task = asyncio.create_task(reader.run())
    try:
        async with telling(runtime.engine, hall.logs, runtime.movement):
            yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await store.close()
