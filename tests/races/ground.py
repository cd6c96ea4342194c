"""Where races are run: member, content and feedback, the member service twice, as two processes have it.

Each log has one partition, so that positions tell what came before what across streams.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx2 as httpx

from services.content.app import SERVICE as CONTENT
from services.feedback.app import SERVICE as FEEDBACK
from services.member.app import SERVICE as MEMBER
from shared.db import driver
from shared.events.identity import community_id
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


class Sent(NamedTuple):
    """A request of a race: when it was under way, in monotonic time, and how it was answered."""

    began: float
    ended: float
    status: int


MEETINGS: ContextVar[list[list[Sent]]] = ContextVar("MEETINGS")
"""What was sent at once in the round under way; the last of each is what the others race against."""


@dataclass(frozen=True)
class Ground:
    """`twice` are two processes of each service on one database. `since` is how far the log of each was when a
    community was founded, by its path: a round costs the same, however many went before.
    """

    twice: dict[str, tuple[Api, Api]]
    since: dict[tuple[str, str], int] = field(default_factory=dict)

    def _either(self, service: str) -> Api:
        """One of the two processes; a race is told each 503, and sends nothing again."""
        return replace(random.choice(self.twice[service]), patient=False)

    def send(self, service: str, by: str, method: str, path: str, body: Json | None = None) -> Call:
        """A request to one of the two processes, to be sent later."""
        api = self._either(service)
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
        before = {service: await self._head(service) for service in self.twice}
        await self.made("member", "alice", "/v1/communities", body)
        path = f"/v1/communities/{body['slug']}"
        for service in self.twice:
            self.since[service, path] = before[service]
        return path, {who: (await self.made("member", who, f"{path}/members", {}))["id"] for who in joining}

    async def bring_in(self, path: str, number: int) -> list[str]:
        """The ids of so many members who never sign in."""
        at = "2020-02-02T20:20:02Z"
        lines = [
            json.dumps({"command": "join", "source": f"old:{n}", "subject": f"old:{n}", "occurred_at": at})
            for n in range(number)
        ]
        answers = (await self.backfill("member", "alice", path, lines)()).text.splitlines()
        return [json.loads(answer)["member"] for answer in answers]

    def backfill(self, service: str, by: str, path: str, lines: Iterable[str]) -> Call:
        """A backfill by one of the two processes, to be sent later."""
        api, content = self._either(service), "\n".join(lines)
        headers = {"content-type": "application/x-ndjson"}
        return lambda: api.by(by, "guildhall:backfill").post(
            f"{path}/{service}/backfill", content=content, headers=headers
        )

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

    async def _head(self, service: str) -> int:
        async with driver(self.twice[service][0].runtime.engine) as connection:
            head: int = await connection.fetchval("select max(position) from log_partition")
        return head

    async def events(self, service: str, path: str) -> list[Seen]:
        """What was recorded in the community, in the order of the log."""
        async with driver(self.twice[service][0].runtime.engine) as connection:
            rows = await connection.fetch(
                "select type, actor, data from log where partition = 0 and position > $2 and community = $1 "
                "order by position",
                community_id(path.rpartition("/")[2]),
                self.since[service, path],
            )
        return [Seen(row["type"].split(".")[2], row["actor"], json.loads(row["data"])) for row in rows]


HEAD_START: ContextVar[float] = ContextVar("HEAD_START", default=0.01)
"""Seconds by which one side of a race may begin before the other, so that either is first at times on any machine."""
_chance = random.Random(20261129)


async def at_once(calls: Sequence[Call], *, midway: bool = False) -> list[int]:
    """Send them at the same moment, or nearly, and by chance one side a little earlier; their statuses. With `midway`
    the last goes when some of the others, how many is left to chance, have been answered.
    """
    answered = asyncio.Semaphore(0)
    ahead = _chance.choice((-1, 0, 1)) * _chance.random() * HEAD_START.get()  # below zero: the last is ahead

    async def one(call: Call) -> Sent:
        await asyncio.sleep(random.random() * 0.01 + max(0.0, ahead if call is calls[-1] else -ahead))
        if midway and call is calls[-1]:
            for _ in range(random.randrange(len(calls) - 1)):
                await answered.acquire()
        began = time.monotonic()
        answer = await call()
        answered.release()
        return Sent(began, time.monotonic(), _status(answer))

    sent = await asyncio.gather(*map(one, calls))
    statuses = [each.status for each in sent]
    assert set(statuses) <= FINE, statuses
    MEETINGS.get().append(sent)
    return statuses


def _status(answer: httpx.Response) -> int:
    """That of a backfill of one line is its line's."""
    if "ndjson" not in answer.headers.get("content-type", ""):
        return answer.status_code
    problem = json.loads(answer.text).get("problem")
    return int(problem["status"]) if problem else answer.status_code


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
        following(content[0].runtime, member[0].runtime, CONTENT.topic_read_models),
        following(feedback[0].runtime, member[0].runtime, FEEDBACK.topic_read_models),
    ):
        yield Ground({"member": member, "content": content, "feedback": feedback})
