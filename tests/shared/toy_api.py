"""The toy service's API running on a real database, and a directory that is written by hand."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx2 as httpx
import sqlalchemy as sa
from fastapi import FastAPI

from shared.events.identity import community_id, member_id
from shared.replicas.directory import VIEW
from shared.service.service import create_app
from shared.settings import Settings
from shared.web.runtime import Runtime
from tests.shared.issuer import ISSUER, bearer
from tests.shared.toy_service import SERVICE

TABLES = SERVICE.metadata.tables


@dataclass
class Api:
    """The application, called in this process. `caught_up` says that the directory holds all there is."""

    app: FastAPI
    client: httpx.AsyncClient

    @property
    def runtime(self) -> Runtime:
        found: Runtime = self.app.state.runtime
        return found

    def member(self, community: str, subject: str) -> UUID:
        return member_id(
            self.runtime.settings.member_secret.get_secret_value().encode(), here(community), ISSUER, subject
        )

    async def write(self, table: str, **row: object) -> None:
        async with self.runtime.engine.begin() as connection:
            await connection.execute(sa.insert(TABLES[table]).values(**{"version": 1, **row}))

    async def community(self, slug: str, **changes: object) -> None:
        row = {"slug": slug, "visibility": "public", "admission": "open", "time_zone": "UTC", **changes}
        await self.write(f"{VIEW}_community", community=here(slug), **row)

    async def standing(self, slug: str, subject: str, status: str = "member", *roles: str) -> None:
        key = {"community": here(slug), "member": self.member(slug, subject)}
        await self.write(f"{VIEW}_member", **key, status=status)
        for role in roles:
            await self.write(f"{VIEW}_role", **key, role=role, granted=True)

    async def call(self, method: str, path: str, subject: str | None = "alice", **parameters: object) -> httpx.Response:
        headers = {**(bearer(subject) if subject else {}), **parameters.pop("headers", {})}  # type: ignore[dict-item]
        return await self.client.request(method, path, headers=headers, **parameters)  # type: ignore[arg-type]

    @contextmanager
    def caught_up(self) -> Iterator[None]:
        """The directory holds all there is, at every moment."""
        directory = self.runtime.directory
        before, directory.clock_bound = directory.clock_bound, -math.inf
        try:
            yield
        finally:
            directory.clock_bound = before


def here(slug: str) -> UUID:
    found = community_id(slug)
    assert found is not None
    return found


@asynccontextmanager
async def toy_api(settings: Settings, jwks: str) -> AsyncIterator[Api]:
    app = create_app(SERVICE, settings.model_copy(update={"issuer": ISSUER, "jwks": jwks}), only="api")
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://toy") as client,
    ):
        yield Api(app, client)
