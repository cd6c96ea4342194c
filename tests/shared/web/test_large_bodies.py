"""Large bodies have room for what has arrived of them, and nobody holds it by announcing much and sending little."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import Message

from shared.events.identity import Caller
from shared.web import bodies, context
from shared.web.bodies import FOR_LARGE, SMALL, JsonBodies
from shared.web.context import RequestContext
from shared.web.large_bodies import OF_A_CALLER, LargeBodies, LargeBody

LIMIT = 1_000_000
PART = 64 * 1024


def caller(number: int, *scopes: str) -> Caller:
    return Caller("issuer", f"subject {number}", frozenset(scopes), b"secret")


class Process:
    """One process's layer, and requests to it that are sent as the tests like."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.taken: list[int] = []

        @self.app.post("/things")
        async def things() -> None: ...

        async def behind(scope: Any, receive: Any, send: Any) -> None:
            self.taken.append(len((await receive())["body"]))
            await send({"type": "http.response.start", "status": 201, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        self._layer = JsonBodies(behind, limit=LIMIT, authenticate=self._authenticate)

    def of(self, who: Caller) -> int:
        """How many bodies of theirs have room."""
        return self._layer._large._callers[who]

    async def _authenticate(self, request: Request) -> object:
        context.of(request).caller = request.scope["who"]
        return None

    async def post(self, who: Caller, *, announced: int, sent: int) -> int:
        """The status of a body that stops after so many bytes where that is fewer than are announced."""
        headers = [(b"content-length", str(announced).encode()), (b"content-type", b"application/json")]
        scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/things", "headers": headers}
        scope |= {"query_string": b"", "app": self.app, "who": who}
        scope[context.KEY] = RequestContext("id", 0.0, arriving=True)
        parts = [PART] * (sent // PART) + [sent % PART]
        seen: list[Message] = []

        async def receive() -> Message:
            if not parts:
                await asyncio.Event().wait()
            await asyncio.sleep(0)
            part = b" " * (parts.pop(0) - (not parts and sent == announced))
            last = not parts and sent == announced
            return {"type": "http.request", "body": part + b"0" * last, "more_body": not last}

        async def send(message: Message) -> None:
            seen.append(message)

        await self._layer(scope, receive, send)
        status: int = seen[0]["status"]
        return status


async def test_stalled_bodies_hold_what_they_sent_and_not_what_they_announced() -> None:
    process = Process()
    stalled = [
        asyncio.create_task(process.post(caller(number), announced=LIMIT, sent=SMALL + 1)) for number in range(60)
    ]
    await asyncio.sleep(0.05)
    try:
        async with asyncio.timeout(bodies.ARRIVES_IN / 2):  # and not when the time of those is up
            assert await process.post(caller(99), announced=LIMIT, sent=LIMIT) == 201
    finally:
        for task in stalled:
            task.cancel()
        await asyncio.gather(*stalled, return_exceptions=True)


async def test_one_caller_has_two_at_once_under_any_scopes_and_holds_up_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bodies, "ARRIVES_IN", 2.0)
    process = Process()
    mine = [
        asyncio.create_task(process.post(caller(1, f"scope {number}"), announced=LIMIT, sent=LIMIT - 1))
        for number in range(20)
    ]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(1.9):
        others = await asyncio.gather(
            *(process.post(caller(number), announced=LIMIT, sent=LIMIT) for number in range(2, 8))
        )
    assert others == [201] * 6
    assert process.of(caller(1)) == OF_A_CALLER
    assert set(await asyncio.gather(*mine)) == {408, 503}  # how many have their turn in the last moment is chance
    assert await process.post(caller(1), announced=LIMIT, sent=LIMIT) == 201


async def test_a_hundred_that_come_at_once_all_come_to_their_end() -> None:
    process = Process()
    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(process.post(caller(number), announced=LIMIT, sent=LIMIT) for number in range(100))
        )
    assert (answers, process.taken) == ([201] * 100, [LIMIT] * 100)


async def test_what_all_have_is_bounded_and_the_eldest_never_waits() -> None:
    everything = LargeBodies(FOR_LARGE)
    large = [everything.begin(number) for number in range(100)]
    waiting: list[asyncio.Task[None]] = []

    async def arrive(body: LargeBody) -> None:
        for size in range(PART, LIMIT, PART):
            await body.grow(size)

    for body in large:
        waiting.append(asyncio.create_task(arrive(body)))
    for body, task in zip(large, waiting, strict=True):
        async with asyncio.timeout(60):
            await task
        assert everything.taken <= FOR_LARGE + LIMIT
        body.end()
    assert everything.taken == 0
