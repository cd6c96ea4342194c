"""All five services in one process, each on a database of its own, their views fed from each other's real logs.

What every service learns by topic is read here from the logs themselves, by the readers that would read the topics.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from deploy.local.home import Home
from deploy.local.issuer import Issuer
from services.content.app import SERVICE as CONTENT
from services.engagement.app import SERVICE as ENGAGEMENT
from services.feedback.app import SERVICE as FEEDBACK
from services.member.app import SERVICE as MEMBER
from services.projection.app import SERVICE as PROJECTION
from shared.cancellation import end
from shared.log.postgres import PostgresLog
from shared.polling import PollInterval
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.service.service import Service, create_app
from shared.settings import Settings
from shared.subscription.log_source import LogSource
from shared.web.runtime import Runtime
from tests.city.asking import Answer, Request, send
from tests.databases import fresh_database
from tests.heads import telling
from tests.stack import Stack

LOOKS = (0.05, 0.2)
"""Seconds between two looks at a log that nothing is known of: appends here wake its readers anyway."""

SERVICES = {service.name: service for service in (MEMBER, CONTENT, ENGAGEMENT, FEEDBACK, PROJECTION)}


@dataclass(frozen=True)
class City:
    """The running services; the same subject is the same person in all of them."""

    apps: Mapping[str, FastAPI]
    issuer: Issuer
    documents: Mapping[str, Any]
    """What each service serves as `/openapi.json`."""
    _tokens: dict[tuple[str, str], bytes] = field(default_factory=dict, repr=False)

    def runtime(self, service: str) -> Runtime:
        runtime: Runtime = self.apps[service].state.runtime
        return runtime

    def bearer(self, subject: str, scope: str = "") -> tuple[bytes, bytes]:
        """The header that says who asks."""
        known = self._tokens.get((subject, scope))
        if known is None:
            known = self._tokens[subject, scope] = b"Bearer " + self.issuer.mint(subject, scope).encode()
        return b"authorization", known

    async def ask(self, request: Request) -> Answer:
        """Send a request exactly as it is to the service it is for."""
        return await send(self.apps[request.service], request)

    async def events(self) -> int:
        """How many events all services have written."""
        heads = [await log.heads() for service in SERVICES if (log := self.runtime(service).log) is not None]
        return sum(map(sum, heads))


@asynccontextmanager
async def city(stack: Stack, folder: Path, **changes: Any) -> AsyncIterator[City]:
    """The five services, with settings changed as given. What is slow on a busy machine is waited for, and
    whoever tests with nothing but bad requests is not held up for it.
    """
    changes = {"database_timeout": 30.0, "lock_timeout": 20.0, "directory_wait": 10.0, "refusal_share": 1.0, **changes}
    issuer = Issuer(Home(folder))
    jwks = str(issuer.write_jwks())
    async with AsyncExitStack() as cleanup:
        apps = {}
        for name, service in SERVICES.items():
            settings = await cleanup.enter_async_context(fresh_database(stack, service.metadata))
            apps[name] = await _run(cleanup, service, settings.model_copy(update={"jwks": jwks, **changes}))
        runtimes: dict[str, Runtime] = {name: app.state.runtime for name, app in apps.items()}
        for name, service in SERVICES.items():
            await _follow(cleanup, service, runtimes[name], runtimes)
        yield City(apps, issuer, {name: app.openapi() for name, app in apps.items()})


async def _run(cleanup: AsyncExitStack, service: Service, settings: Settings) -> FastAPI:
    app = create_app(service, settings, only="api")
    await cleanup.enter_async_context(app.router.lifespan_context(app))
    return app


async def _follow(cleanup: AsyncExitStack, service: Service, runtime: Runtime, runtimes: Mapping[str, Runtime]) -> None:
    """Keep a service's views up with the logs they are fed by: one reader for its own views, one for the others."""
    for views, names in ((service.own_read_models, [service.name]), (service.topic_read_models, service.topics)):
        if not views:
            continue
        sources = []
        for log in (runtimes[name].log for name in names):
            assert isinstance(log, PostgresLog)
            sources.append(source := LogSource(log))
            source._interval = PollInterval(*LOOKS)
            log.appended.append(source.wake)
        store = PostgresReadModelStore(runtime.engine)
        cleanup.push_async_callback(store.close)
        reader = ProjectionRunner(views, sources, store, movement=runtime.movement)
        task = asyncio.create_task(reader.run(), name=f"{service.name}-reader")
        cleanup.push_async_callback(end, task)
    others = {name: log for name in service.topics if (log := runtimes[name].log) is not None}
    await cleanup.enter_async_context(telling(runtime.engine, others, runtime.movement))
