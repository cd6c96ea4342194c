"""A service as it really runs, short of Kafka: its app, its own PostgreSQL, and a reader that follows the log.

Topics are shared by everything that runs on a broker, so what a service learns by topic is read here from the other
service's log itself (`following`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx

from deploy.local.home import Home
from deploy.local.issuer import Issuer
from shared.access.directory import SOURCE
from shared.access.directory import VIEW as DIRECTORY
from shared.log.postgres import PostgresLog
from shared.runtime import Runtime
from shared.service.service import Service, create_app
from shared.settings import Settings
from shared.stream.log_source import LogSource
from shared.views.lookup import NEVER_SEEN
from shared.views.reader import Reader
from shared.views.store_postgres import PostgresViewStore
from shared.views.view import View


@dataclass(frozen=True)
class Api:
    """A running service, and the tokens that open it."""

    runtime: Runtime
    issuer: Issuer
    transport: httpx.ASGITransport

    def by(self, subject: str, scope: str = "") -> httpx.AsyncClient:
        """A client that somebody uses; same subject, same person."""
        return httpx.AsyncClient(
            transport=self.transport,
            base_url="http://guildhall",
            headers={"authorization": f"Bearer {self.issuer.mint(subject, scope)}"},
        )


@asynccontextmanager
async def running(service: Service, settings: Settings, folder: Path) -> AsyncIterator[Api]:
    """The service's API, with the views that its own log feeds."""
    issuer = Issuer(Home(folder))
    settings = settings.model_copy(update={"jwks": str(issuer.write_jwks())})
    app = create_app(service, settings, only="api")
    async with app.router.lifespan_context(app):
        runtime: Runtime = app.state.runtime
        async with following(runtime, runtime, service.own_views):
            yield Api(runtime, issuer, httpx.ASGITransport(app))


@asynccontextmanager
async def following(runtime: Runtime, other: Runtime, views: Sequence[View]) -> AsyncIterator[None]:
    """Views of `runtime`, kept up with the log of `other`."""
    assert isinstance(other.log, PostgresLog)
    source = LogSource(other.log)
    other.log.appended.append(source.wake)
    store = PostgresViewStore(runtime.engine)
    reader = Reader(views, [source], store, progress=runtime.progress)
    if any(view.name == DIRECTORY for view in views):
        runtime.directory.seen = lambda: reader.caught_up_at.get(SOURCE, NEVER_SEEN)
    task = asyncio.create_task(reader.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        other.log.appended.remove(source.wake)
        await store.close()
