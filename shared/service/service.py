"""A service is put together in one declaration, `SERVICE` in its app.py; this makes the running thing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.commands.commands import Commands
from shared.db import create_engine, ends_with_database
from shared.events.catalogue import Catalogue
from shared.events.decider import Decider
from shared.events.positions import Seal
from shared.log.postgres import CONNECTIONS, PostgresLog
from shared.projections.freshness import Watch
from shared.projections.movement import Movement
from shared.projections.read_model import ReadModel
from shared.replicas.directory import SOURCE, directory_view
from shared.replicas.directory_lookup import Directory
from shared.replicas.lookup import look_up_waiters
from shared.service import health, migrate
from shared.settings import Settings
from shared.telemetry import tracing
from shared.vault import PostgresVault
from shared.web import documentation, openapi, problems
from shared.web.access import permissions as access
from shared.web.access.jwks import Keys
from shared.web.access.tokens import Tokens
from shared.web.backfill.command import BackfillCommand, LineAnswer
from shared.web.backfill.route import backfill_router
from shared.web.bodies import JsonBodies
from shared.web.context import QUIET
from shared.web.idempotency import Idempotency
from shared.web.middleware import Around
from shared.web.refusal_budget import RefusalLimit
from shared.web.runtime import Runtime

Worker = Callable[[Runtime], Awaitable[None]]
Only = Literal["api", "worker"]

COMMUNITY_PATH = "/v1/communities/{community}"


@dataclass(frozen=True)
class Service:
    """Everything a service is.

    `routers` are declared relative to `/v1/communities/{community}`; one whose own prefix begins with `/v1` is taken
    as it is. `events` is the module of the service's events, None where it owns no facts. `claiming` are its deciders
    that have claims. `own_read_models` are fed by
    its own log, `topic_read_models` by the topics of others; the directory is added to whichever gets the member
    events. `process_managers` are fed by topics and give commands to this service
    (shared/processes/process_manager.py). `workers` run in the worker, each under a lease of its own, and are started
    again when they fail. `migrations` is the folder of its schema's revisions, by default `migrations/versions` in its
    own.
    """

    name: str
    metadata: sa.MetaData
    routers: Sequence[APIRouter] = ()
    events: ModuleType | None = None
    claiming: Sequence[Decider[Any, Any]] = ()
    own_read_models: Sequence[ReadModel] = ()
    topic_read_models: Sequence[ReadModel] = ()
    process_managers: Sequence[ReadModel] = ()
    backfill: Sequence[BackfillCommand[Any]] = ()
    workers: Sequence[Worker] = ()
    title: str = ""
    description: str = ""
    migrations: Path | None = None
    directory: ReadModel = field(init=False)

    def __post_init__(self) -> None:
        directory = directory_view(self.metadata)
        object.__setattr__(self, "directory", directory)
        feeds = "own_read_models" if self.name == SOURCE else "topic_read_models"
        object.__setattr__(self, feeds, (*getattr(self, feeds), directory))
        if self.process_managers and self.events is None:
            raise TypeError(f"{self.name}: process managers need a log to write to")
        if missing := access.undeclared(self.routers):
            raise TypeError(f"{self.name}: without exactly one declared permission: {', '.join(missing)}")

    @property
    def views(self) -> tuple[ReadModel, ...]:
        """All of them, the directory and the reactions too."""
        return (*self.own_read_models, *self.topic_read_models, *self.process_managers)

    @property
    def topics(self) -> list[str]:
        """The services whose topics this one's views and reactions read."""
        return sorted({source for view in (*self.topic_read_models, *self.process_managers) for source in view.sources})


def create_app(service: Service, settings: Settings, *, only: Only | None = None) -> FastAPI:
    """The service as an ASGI application: its API, its worker, or both in one process (`only` is None).

    What it stands on is started with it: `app.state.runtime` is there while it runs.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _running(service, settings, only) as runtime:
            app.state.runtime = runtime
            yield

    serves = only != "worker"
    app = FastAPI(
        title=service.title or f"Guildhall {service.name} service",
        version="1",
        description=service.description,
        servers=[{"url": settings.public_url}],
        telemetry={
            "tracer_provider": tracing.provider(),
            "operation_spans": False,
            "exclude": lambda scope: scope.get("path") in QUIET,
        },
        lifespan=lifespan,
        openapi_url="/openapi.json" if serves else None,
        docs_url=None,  # it would load its scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.include_router(health.router)
    if serves:
        for router in (*service.routers, *_backfill(service)):
            app.include_router(router, prefix="" if router.prefix.startswith("/v1") else COMMUNITY_PATH)
        lines = [command.model for command in service.backfill]
        documentation.install(app, service.name)
        openapi.complete(
            app,
            access.describe_permission,
            sent=lines,
            answered=[LineAnswer] if lines else [],
            keyed=service.events is not None,
        )
    problems.install(app)
    if service.events is not None:
        app.add_middleware(Idempotency, authenticate=access.authenticate, lifetime=settings.idempotency_lifetime)
    app.add_middleware(JsonBodies, limit=settings.body_limit, authenticate=access.authenticate)
    app.add_middleware(RefusalLimit, service=service.name, budget=settings.refusal_share)
    app.add_middleware(Around, service=service.name, deadline=settings.database_timeout + 0.8)
    return app


def _backfill(service: Service) -> Sequence[APIRouter]:
    return [backfill_router(service.name, service.backfill)] if service.backfill else []


@asynccontextmanager
async def _running(service: Service, settings: Settings, only: Only | None) -> AsyncIterator[Runtime]:
    """Start what the process needs, and stop it in reverse."""
    async with AsyncExitStack() as stack:
        engine = await _engine(stack, settings, service.name, settings.database_connections)
        movement = Movement()
        secret = settings.member_secret.get_secret_value().encode()
        seal = Seal(secret)
        waiters = look_up_waiters()
        runtime = Runtime(
            service=service.name,
            settings=settings,
            engine=engine,
            tokens=Tokens(
                Keys(settings.jwks, age=settings.key_age),
                issuer=settings.issuer,
                audience=settings.audience,
                member_secret=secret,
            ),
            directory=Directory(
                engine,
                partitions=settings.partitions,
                wait=settings.directory_wait,
                age=settings.permit_age,
                own=service.name == SOURCE,
                clock_bound=settings.clock_bound,
                movement=movement,
                waiters=waiters,
            ),
            vault=PostgresVault(engine, secret),
            watch=Watch(
                engine,
                partitions=settings.partitions,
                own=service.name if service.events is not None else None,
                movement=None if only == "api" else movement,
                seal=seal,
            ),
            seal=seal,
            movement=movement,
            waiters=waiters,
            views=service.views,
            revision=frozenset(migrate.newest(service)),
            pools={"api": engine},
        )
        if service.events is not None:
            runtime.pools["log"] = await _engine(stack, settings, service.name, CONNECTIONS)
            log = PostgresLog(runtime.pools["log"], service.name, settings.partitions)
            await log.start()
            stack.push_async_callback(log.close)
            runtime.log = log
            runtime.own_commands = Commands(log, Catalogue.of(service.events))
            ends_with_database(runtime.pools["log"], runtime.own_commands.forget)
        if only != "api":
            from shared.service.worker import run_worker  # an API alone needs no Kafka client

            worker_engine = await _engine(stack, settings, service.name, settings.database_connections)
            runtime.pools["worker"] = worker_engine
            await stack.enter_async_context(run_worker(service, runtime, worker_engine))
        yield runtime
        runtime.draining.set()


async def _engine(stack: AsyncExitStack, settings: Settings, service: str, connections: int) -> AsyncEngine:
    engine = create_engine(settings, service, connections=connections)
    stack.push_async_callback(engine.dispose)
    return engine
