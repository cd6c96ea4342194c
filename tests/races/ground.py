"""Where races are run: member, content and feedback, the member service twice, as two processes have it.

Each log has one partition, so that positions tell what came before what across streams.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx2 as httpx

from services.content.app import SERVICE as CONTENT
from services.feedback.app import SERVICE as FEEDBACK
from services.member.app import SERVICE as MEMBER
from shared.db import driver
from shared.identity import community_id
from shared.service.service import Service, create_app
from shared.settings import Settings
from tests.databases import fresh_database
from tests.member import api as members
from tests.member.running import Api, following, running
from tests.stack import Stack

Json = dict[str, Any]
Call = Callable[[], Awaitable[httpx.Response]]

FINE = frozenset({200, 201, 204, 403, 404, 409, 503})
"""How a request in a race may be answered; 503 where the machine is slow."""


class Seen(NamedTuple):
    """An event of the log: its name without service and version, who did it, and its data."""

    name: str
    by: UUID | None
    data: Json


@dataclass(frozen=True)
class Ground:
    """`twice` are two processes of each service on one database."""

    twice: dict[str, tuple[Api, Api]]

    def send(self, service: str, by: str, method: str, path: str, body: Json | None = None) -> Call:
        """A request to one of the two processes, to be sent later."""
        api = random.choice(self.twice[service])
        return lambda: api.by(by).request(method, path, json=body)

    async def made(self, service: str, by: str, path: str, body: Json) -> Json:
        made: Json = (await self._must(service, by, "POST", path, body)).json()
        return made

    async def _must(self, service: str, by: str, method: str, path: str, body: Json | None = None) -> httpx.Response:
        """Send what has to be done before the race; again where the machine was too slow for it."""
        for _ in range(20):
            answer = await self.twice[service][0].by(by).request(method, path, json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            await asyncio.sleep(0.2)
        assert answer.is_success, answer.text
        return answer

    async def found(self, *joining: str, **changes: Any) -> tuple[str, dict[str, str]]:
        """A community of alice's; its path, and the ids of those who joined."""
        body = members.founding(**changes)
        await self.made("member", "alice", "/v1/communities", body)
        path = f"/v1/communities/{body['slug']}"
        return path, {who: (await self.made("member", who, f"{path}/members", {}))["id"] for who in joining}

    async def grant(self, path: str, role: str, member: str) -> None:
        await self._must("member", "alice", "PUT", f"{path}/roles/{role}/members/{member}")

    async def describe(self, path: str, **changes: str) -> None:
        await self._must("member", "alice", "PATCH", path, changes)

    async def channel(self, path: str) -> str:
        made = await self.made("content", "alice", f"{path}/channels", {"name": "Gardening"})
        return str(made["id"])

    async def thread(self, path: str, channel: str) -> str:
        words = {"title": "When to prune roses?", "body": "Mine are old.", "tags": [], "channel_id": channel}
        return str((await self.made("content", "alice", f"{path}/threads", words))["id"])

    async def events(self, service: str, path: str) -> list[Seen]:
        """What was recorded in the community, in the order of the log."""
        async with driver(self.twice[service][0].runtime.engine) as connection:
            rows = await connection.fetch(
                "select type, actor, data from log where community = $1 order by position",
                community_id(path.rpartition("/")[2]),
            )
        return [Seen(row["type"].split(".")[2], row["actor"], json.loads(row["data"])) for row in rows]


async def at_once(calls: Iterable[Call]) -> list[int]:
    """Send them at the same moment, or nearly; their statuses."""

    async def one(call: Call) -> int:
        await asyncio.sleep(random.random() * 0.01)
        return (await call()).status_code

    statuses = await asyncio.gather(*(one(call) for call in calls))
    assert set(statuses) <= FINE, statuses
    return list(statuses)


@asynccontextmanager
async def _two(service: Service, stack: Stack, home: Path) -> AsyncIterator[tuple[Api, Api]]:
    async with (
        fresh_database(stack, service.metadata, partitions=1) as settings,
        running(service, settings, home) as one,
        second(service, settings, one) as other,
    ):
        yield one, other


@asynccontextmanager
async def second(service: Service, settings: Settings, first: Api) -> AsyncIterator[Api]:
    """Another process of a service that runs: its views are fed by the first."""
    app = create_app(service, settings.model_copy(update={"jwks": first.runtime.settings.jwks}), only="api")
    async with app.router.lifespan_context(app):
        yield Api(app.state.runtime, first.issuer, httpx.ASGITransport(app))


@asynccontextmanager
async def ground(stack: Stack, home: Path) -> AsyncIterator[Ground]:
    async with (
        _two(MEMBER, stack, home) as member,
        _two(CONTENT, stack, home) as content,
        _two(FEEDBACK, stack, home) as feedback,
        following(content[0].runtime, member[0].runtime, CONTENT.topic_views),
        following(feedback[0].runtime, member[0].runtime, FEEDBACK.topic_views),
    ):
        yield Ground({"member": member, "content": content, "feedback": feedback})
