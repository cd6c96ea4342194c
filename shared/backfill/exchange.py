"""NDJSON both ways at once, in bounded memory: a window of lines is under way, and answers leave in line order.

The response begins while the request is still being read. When the caller stops reading answers, reading its lines
stops too; when it goes away, what is under way is finished and nothing more is begun.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

import msgspec
from fastapi import Response
from starlette.types import Message, Receive, Scope, Send

from shared.backfill.clerk import Clerk, Job
from shared.backfill.quota import Quota
from shared.http import context
from shared.http.context import RequestContext
from shared.http.metering import Metered

WINDOW = 64
"""Lines under way at once."""
LONGEST_LINE = 256 * 1024
PATIENCE = 60.0
"""Seconds a caller may leave its answers unread before the connection is cut."""

_encode = msgspec.json.Encoder().encode


class Lines:
    """Cuts chunks into lines, numbered from 1; one that is too long comes as None and is not kept."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._rest = bytearray()
        self._skipping = False
        self._number = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes | None]]:
        *complete, rest = chunk.split(b"\n")
        for piece in complete:
            self._keep(piece)
            yield from self.end()
        self._keep(rest)

    def end(self) -> Iterator[tuple[int, bytes | None]]:
        """The line as it stands now is complete; blank ones are counted and left out."""
        line, skipped = bytes(self._rest).strip(), self._skipping
        self._rest.clear()
        self._skipping = False
        self._number += 1
        if line or skipped:
            yield self._number, None if skipped else line

    def _keep(self, piece: bytes) -> None:
        if self._skipping or len(self._rest) + len(piece) > self._longest:
            self._skipping = True
            self._rest.clear()
        else:
            self._rest += piece


class Exchange(Response):
    """The response to a backfill; it reads the request's body itself."""

    def __init__(
        self, clerk: Clerk, quota: Quota, *, stop: Callable[[], bool] = lambda: False, patience: float = PATIENCE
    ) -> None:
        super().__init__(media_type="application/x-ndjson")
        self._clerk = clerk
        self._quota = quota
        self._stop = stop
        self._patience = patience
        self._jobs: deque[Job] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Semaphore(WINDOW)
        self._complete = False
        self._rejected = self._taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        await self._send(send, {"type": "http.response.start", "status": 200, "headers": headers})
        request = context.in_scope(scope)
        reader = asyncio.create_task(self._read(receive, request), name="backfill-reader")
        try:
            await self._answer(send)
            await self._send(send, {"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            reader.cancel()
            await asyncio.wait([reader, *(job.task for job in self._jobs if job.task is not None)])
            request.refused = self._rejected > self._taken
        reader.cancelled() or reader.result()

    async def _read(self, receive: Receive, request: RequestContext) -> None:
        await Metered(self._read_on(receive), request)

    async def _read_on(self, receive: Receive) -> None:
        lines = Lines()
        try:
            async with self._quota:
                while not self._stop():
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    for number, raw in lines.feed(message.get("body", b"")):
                        await self._take(number, raw)
                    if not message.get("more_body", False):
                        for number, raw in lines.end():
                            await self._take(number, raw)
                        return
        finally:
            self._complete = True
            self._arrived.set()

    async def _take(self, number: int, raw: bytes | None) -> None:
        await self._room.acquire()
        self._jobs.append(self._clerk.take(number, raw, within_quota=await self._quota.spend()))
        self._arrived.set()

    async def _answer(self, send: Send) -> None:
        """Send answers as they are ready, those ready together in one piece."""
        while True:
            if not self._jobs:
                if self._complete:
                    return
                self._arrived.clear()
                await self._arrived.wait()
                continue
            first = self._jobs[0].task
            if first is not None and not first.done():
                await asyncio.wait([first])
            ready = bytearray()
            while self._jobs and ((task := self._jobs[0].task) is None or task.done()):
                answer = self._jobs.popleft().answer
                ready += _encode(answer) + b"\n"
                rejected = answer["status"] == "rejected"
                self._rejected, self._taken = self._rejected + rejected, self._taken + (not rejected)
                self._room.release()
            await self._send(send, {"type": "http.response.body", "body": bytes(ready), "more_body": True})

    async def _send(self, send: Send, message: Message) -> None:
        async with asyncio.timeout(self._patience):
            await send(message)
