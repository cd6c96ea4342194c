"""A service as it really runs, short of Kafka: its app, its own PostgreSQL, and a reader that follows the log.

Topics are shared by everything that runs on a broker, so what a service learns by topic is read here from the other
service's log itself (`following`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx

from deploy.local.home import Home
from deploy.local.issuer import Issuer
from shared.log.postgres import PostgresLog
from shared.projections.read_model import ReadModel
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.service.service import Service, create_app
from shared.settings import Settings
from shared.subscription.log_source import LogSource
from shared.web.runtime import Runtime
from tests.heads import telling

PATIENT_FOR = 20.0
"""Seconds for which a request is sent again that was answered 503 with Retry-After."""


class Patient(httpx.AsyncBaseTransport):
    """Sends again what is answered 503 with Retry-After, as a good client does.

    That is the right answer where heads of a log come late, or all connections to the database are taken, as happens
    on a slow machine; so it is no fault unless it goes on.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        until = time.monotonic() + PATIENT_FOR
        while True:
            answer = await self._inner.handle_async_request(request)
            pause = answer.headers.get("retry-after")
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or pause is None:
                return answer
            # A body that comes as it is made can be sent once only.
            if not isinstance(request.stream, httpx.ByteStream) or time.monotonic() + float(pause) > until:
                return answer
            await answer.aclose()
            await asyncio.sleep(float(pause))


@dataclass(frozen=True)
class Api:
    """A running service, and the tokens that open it. Who is not `patient` is shown each 503."""

    runtime: Runtime
    issuer: Issuer
    transport: httpx.ASGITransport
    patient: bool = True

    def by(self, subject: str, scope: str = "guildhall:found") -> httpx.AsyncClient:
        """A client that somebody uses; same subject, same person."""
        return httpx.AsyncClient(
            transport=Patient(self.transport) if self.patient else self.transport,
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
        async with following(runtime, runtime, service.own_read_models):
            yield Api(runtime, issuer, httpx.ASGITransport(app))


@asynccontextmanager
async def following(runtime: Runtime, other: Runtime, views: Sequence[ReadModel]) -> AsyncIterator[None]:
    """Views of `runtime`, kept up with the log of `other`."""
    assert isinstance(other.log, PostgresLog)
    source = LogSource(other.log)
    other.log.appended.append(source.wake)
    store = PostgresReadModelStore(runtime.engine)
    reader = ProjectionRunner(views, [source], store, movement=runtime.movement)
    task = asyncio.create_task(reader.run())
    others = {} if other is runtime else {other.service: other.log}
    try:
        async with telling(runtime.engine, others, runtime.movement):
            yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        other.log.appended.remove(source.wake)
        await store.close()
