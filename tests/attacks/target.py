"""What attackers have: the system's addresses, tokens in any name, and what its operator sees to judge by."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2 as httpx

from deploy.local.home import Home
from deploy.local.issuer import Issuer
from deploy.local.postgres import Postgres
from deploy.local.service import SERVICES
from shared.events.identity import community_id
from tests.city.operations import Operation, operations
from tests.e2e.system import LocalSystem

Json = dict[str, Any]
AGAIN = frozenset({429, 503})
TRIES = 40
BELIEVED = 2.5
"""Seconds after which a right that was taken is believed nowhere any more: 2, and a moment."""
AT_ONCE = 32


@dataclass
class Target:
    """`by` sends as a subject; who is not told otherwise has the scope of everybody."""

    system: LocalSystem
    home: Home
    ports: Mapping[str, int]
    client: httpx.AsyncClient
    _tokens: dict[tuple[str, str | None], str] = field(default_factory=dict)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @classmethod
    @asynccontextmanager
    async def of(cls, system: LocalSystem) -> AsyncIterator[Target]:
        home = Home(system.home)
        limits = httpx.Limits(max_connections=400, max_keepalive_connections=40)
        async with httpx.AsyncClient(base_url=system.origin, timeout=90.0, trust_env=False, limits=limits) as client:
            yield cls(system, home, home.read("ports.json"), client)

    def token(self, subject: str, scope: str | None = None) -> str:
        known = self._tokens.get((subject, scope))
        if known is None:
            known = self._tokens[subject, scope] = Issuer(self.home).mint(subject, scope)
        return known

    async def by(
        self,
        subject: str | None,
        method: str,
        path: str,
        body: object = None,
        *,
        scope: str | None = None,
        patient: bool = True,
        door: str | None = None,
        **more: Any,
    ) -> httpx.Response:
        """One request, through the gateway or (`door`) to a service itself. `patient` ones come again when told to."""
        headers = dict(more.pop("headers", {}))
        if subject is not None:
            headers["authorization"] = f"Bearer {self.token(subject, scope)}"
        if body is not None:
            more["json"] = body
        url = path if door is None else f"http://127.0.0.1:{self.ports[door]}{path}"
        for _ in range(TRIES):
            async with self._room:
                answer = await self.client.request(method, url, headers=headers, **more)
            if not patient or answer.status_code not in AGAIN:
                break
            await asyncio.sleep(min(2.0, float(answer.headers.get("retry-after", 0.2))))
        return answer

    async def found(self, *members: str, visibility: str = "public", admission: str = "open", **roles: str) -> Place:
        """A new community of alice's; `members` join, and so do those with roles: `dora="administrator"`."""
        place = Place(self, f"attacked-{uuid4().hex[:12]}")
        made = await place.must(
            "alice",
            "POST",
            "/v1/communities",
            {
                "slug": place.slug,
                "name": place.canary,
                "purpose": place.canary,
                "language": "en",
                "time_zone": "UTC",
                "visibility": visibility,
                "admission": "open",
            },
        )
        place.id = made["id"]
        place.ids["alice"] = (await place.must("alice", "GET", "/members/me"))["id"]
        await asyncio.gather(*(place.join(who) for who in (*members, *roles)))
        for who, role in roles.items():
            await place.must("alice", "PUT", f"/roles/{role}/members/{place.ids[who]}")
        if admission != "open":
            await place.must("alice", "PATCH", "", {"admission": admission})
        return place

    @cached_property
    def operations(self) -> list[Operation]:
        """Of the documents that the running gateway serves."""
        with httpx.Client(base_url=self.system.origin, trust_env=False) as client:
            return operations({name: client.get(f"/openapi/{name}.json").json() for name in SERVICES})

    def pid(self, process: str) -> int:
        found = json.loads((self.system.home / "state.json").read_text())["processes"]
        return next(int(one["pid"]) for one in found if one["name"] == process)

    async def rows(self, service: str, query: str, *values: object) -> list[asyncpg.Record]:
        """What an operator reads in a service's database."""
        postgres = Postgres(self.home, self.ports["postgres"])
        db = await asyncpg.connect(postgres.dsn(f"guildhall_{service}"))
        try:
            return list(await db.fetch(query, *values))
        finally:
            await db.close()

    def logged(self) -> dict[str, str]:
        """What all processes have written into their logs."""
        return {path.name: path.read_text(errors="replace") for path in sorted(Path(self.home.logs).iterdir())}


@dataclass
class Place:
    """A community that is attacked. Its people are nobody elsewhere; all words in it hold its canary."""

    target: Target
    slug: str
    id: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    """Member ids, by who it is."""

    @property
    def canary(self) -> str:
        return f"canary {self.slug}"

    def subject(self, who: str) -> str:
        return f"{who} of {self.slug}"

    async def by(self, who: str | None, method: str, path: str, body: object = None, **more: Any) -> httpx.Response:
        """As `Target.by`; `path` is below this community unless it is a whole one."""
        whole = path if path.startswith("/v1/") else f"/v1/communities/{self.slug}{path}"
        return await self.target.by(who and self.subject(who), method, whole, body, **more)

    async def must(self, who: str, method: str, path: str, body: object = None, **more: Any) -> Any:
        """As `by`, and it has to succeed; the answer's body."""
        answer = await self.by(who, method, path, body, **more)
        assert answer.is_success, (who, method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def join(self, who: str) -> str:
        self.ids[who] = (await self.must(who, "POST", "/members"))["id"]
        return self.ids[who]

    async def channel(self, **more: Any) -> str:
        return str((await self.must("alice", "POST", "/channels", {"name": self.canary, **more}))["id"])

    async def thread(self, who: str = "alice", channel: str | None = None) -> str:
        words = {"title": self.canary, "body": self.canary, "tags": [], "channel_id": channel or await self.channel()}
        return str((await self.must(who, "POST", "/threads", words))["id"])

    async def reply(self, who: str, thread: str) -> str:
        return str((await self.must(who, "POST", f"/threads/{thread}/replies", {"body": self.canary}))["id"])

    async def comment(self, who: str, thread: str) -> str:
        return str((await self.must(who, "POST", f"/threads/{thread}/comments", {"body": self.canary}))["id"])

    async def suggestion(self, who: str = "alice", **more: Any) -> str:
        body = {"title": self.canary, "body": self.canary, **more}
        return str((await self.must(who, "POST", "/suggestions", body))["id"])

    async def shown(self, who: str, path: str, after: httpx.Response) -> Any:
        """What is read behind that write."""
        headers = {"guildhall-after": after.headers["guildhall-position"], "prefer": "wait=10"}
        return await self.must(who, "GET", path, headers=headers)

    async def bring_in(self, who: str, service: str, *lines: Json, scope: str = "guildhall:backfill") -> list[Json]:
        """What a backfill answers to those lines."""
        content = "".join(json.dumps(line) + "\n" for line in lines)
        answer = await self.by(
            who,
            "POST",
            f"/{service}/backfill",
            scope=scope,
            content=content,
            headers={"content-type": "application/x-ndjson"},
        )
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    async def events(self, service: str) -> list[asyncpg.Record]:
        """What was recorded here, in the order of recording."""
        return await self.target.rows(
            service, "select * from log where community = $1 order by recorded_at, position", community_id(self.slug)
        )


async def until(condition: Callable[[], Awaitable[object]], within: float = 30.0) -> None:
    end = time.monotonic() + within
    while not await condition():
        assert time.monotonic() < end, "it did not come to be"
        await asyncio.sleep(0.2)


def without_request(answer: httpx.Response) -> tuple[int, Json, frozenset[str]]:
    """What an answer tells, but for what every request has of its own."""
    try:
        body = answer.json() if answer.content else {}
    except ValueError:
        body = {"text": answer.text}
    return answer.status_code, {**body, "request_id": ""}, frozenset(answer.headers)
