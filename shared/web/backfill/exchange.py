"""NDJSON both ways at once, in bounded memory: a window of lines is under way, and answers leave in line order.

The response begins while the request is still being read. When the caller stops reading answers, reading its lines
stops too; when it goes away, or brings no whole line for long, what is under way is finished and nothing more is begun.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from fastapi import Response
from starlette.types import Message, Receive, Scope, Send

from shared.events.errors import TooManyRequests
from shared.events.identity import Caller
from shared.web import context, problems
from shared.web.backfill.line_processor import Job, LineProcessor
from shared.web.context import RequestContext
from shared.web.metering import Metered
from shared.web.quota import Quota
from shared.web.room import Room

WINDOW = 64
"""Lines under way at once."""
LONGEST_LINE = 256 * 1024
PATIENCE = 60.0
"""Seconds a caller may leave its answers unread before the connection is cut."""
SILENCE = 30.0
"""Seconds in which a caller brings its next line, whole; else that was all. Time it is kept waiting does not count."""
UNDER_WAY = 8 << 20
"""Bytes of all backfills' lines under way in one process; each may have one line under way in any case."""
MOST_AT_ONCE, MOST_OF_ONE = 32, 8
"""Backfills under way in one process, and of one caller."""
OVERHEAD = 16 * 1024
"""What a line under way takes at most besides its bytes: its values, its task and its answer."""
MOST_USELESS = 1_000
"""Lines in a row that are blank, or rejected as they stand; more of them are no backfill, and end it."""

_BLANK = re.compile(rb"(?:[ \t\r\v\f]*+\n)++")
_encode = msgspec.json.Encoder().encode


class Lines:
    """Cuts chunks into lines, numbered from 1; one that is too long comes as None and is not kept.

    Blank ones are counted and left out, many at once; `blank` is how many came since the last one that is not.
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self.blank = 0
        self._longest = longest
        self._rest = bytearray()
        self._skipping = False
        self._number = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes | None]]:
        at = 0
        while (end := chunk.find(b"\n", at)) >= 0:
            if not (self._rest or self._skipping) and (run := _BLANK.match(chunk, at)):
                self._pass(chunk.count(b"\n", at, run.end()))
                at = run.end()
                continue
            self._keep(chunk[at:end])
            yield from self.end()
            at = end + 1
        self._keep(chunk[at:])

    def end(self) -> Iterator[tuple[int, bytes | None]]:
        """The line as it stands now is complete."""
        line, skipped = bytes(self._rest).strip(), self._skipping
        self._rest.clear()
        self._skipping = False
        if not (line or skipped):
            self._pass(1)
            return
        self._number += 1
        self.blank = 0
        yield self._number, None if skipped else line

    def _pass(self, blank: int) -> None:
        self._number += blank
        self.blank += blank

    def _keep(self, piece: bytes) -> None:
        if self._skipping or len(self._rest) + len(piece) > self._longest:
            self._skipping = True
            self._rest.clear()
        else:
            self._rest += piece


class BackfillSlots:
    """What all backfills of a process share: how many there are, and how much of them is under way."""

    def __init__(self) -> None:
        self.room = Room(UNDER_WAY)
        self._held: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def slot(self, caller: Caller) -> Iterator[bool]:
        """Whether there is a place for one more backfill of this caller, which is theirs meanwhile."""
        who = (caller.issuer, caller.subject)
        free = self._held.total() < MOST_AT_ONCE and self._held[who] < MOST_OF_ONE
        self._held[who] += free
        try:
            yield free
        finally:
            self._held[who] -= free
            if not self._held[who]:
                del self._held[who]


class Exchange(Response):
    """The response to a backfill; it reads the request's body itself."""

    def __init__(
        self,
        processor: LineProcessor,
        quota: Quota,
        *,
        slots: BackfillSlots,
        stop: Callable[[], bool] = lambda: False,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(media_type="application/x-ndjson")
        self._processor = processor
        self._quota = quota
        self._stop = stop
        self._patience = patience
        self._jobs: deque[tuple[Job, int]] = deque()
        """Each with the room it takes."""
        self._arrived, self._answered = asyncio.Event(), asyncio.Event()
        self._window = asyncio.Semaphore(WINDOW)
        self._slots = slots
        self._complete = False
        self._rejected = self._taken = 0
        self._useless = 0
        """Lines in a row that were rejected as they stand."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = context.in_scope(scope)
        with self._slots.slot(self._processor.me.caller) as free:
            if free:
                await self._exchange(scope, receive, send)
                return
        busy = TooManyRequests("Too many backfills are under way. Finish one, or come back shortly.", retry_after=1)
        await problems.answer(busy, request.id)(scope, receive, send)

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        await self._send(send, {"type": "http.response.start", "status": 200, "headers": headers})
        request = context.in_scope(scope)
        request.stream()
        async with self._quota:
            reader = asyncio.create_task(self._read(receive, request), name="backfill-reader")
            try:
                await self._answer(send)
            finally:
                reader.cancel()
                await asyncio.wait([reader, *(job.task for job, _ in self._jobs if job.task is not None)])
                for _, size in self._jobs:
                    self._slots.room.give(size)
                request.refused = self._rejected > self._taken
        # Said last: who hears of the end finds given back what was not used.
        await self._send(send, {"type": "http.response.body", "body": b"", "more_body": False})
        reader.cancelled() or reader.result()

    async def _read(self, receive: Receive, request: RequestContext) -> None:
        await Metered(self._read_on(receive), request)

    async def _read_on(self, receive: Receive) -> None:
        loop = asyncio.get_running_loop()
        lines, heard = Lines(), loop.time()
        try:
            while not self._stop():
                try:
                    async with asyncio.timeout_at(heard + SILENCE):
                        message = await receive()
                except TimeoutError:
                    return
                if message["type"] == "http.disconnect":
                    return
                for number, raw in lines.feed(message.get("body", b"")):
                    await self._take(number, raw)
                    heard = loop.time()
                    if self._useless > MOST_USELESS:
                        return
                if lines.blank > MOST_USELESS:
                    self._rejected += lines.blank
                    return
                await asyncio.sleep(0)  # a chunk that holds no line would be followed by the next without a pause
                if not message.get("more_body", False):
                    for number, raw in lines.end():
                        await self._take(number, raw)
                    return
        finally:
            self._complete = True
            self._arrived.set()

    async def _take(self, number: int, raw: bytes | None) -> None:
        await self._window.acquire()
        size = OVERHEAD + len(raw or b"")
        while not self._slots.room.try_take(size):
            if not self._jobs:  # one goes on in any case, so none waits for others for ever
                size = 0
                break
            self._answered.clear()
            await self._answered.wait()
        job = self._processor.take(number, raw, within_quota=await self._quota.spend())
        self._useless = self._useless + 1 if job.task is None else 0
        self._jobs.append((job, size))
        self._arrived.set()

    async def _answer(self, send: Send) -> None:
        """Send answers as they are ready, those ready together in one piece."""
        while True:
            if not self._jobs:
                if self._complete or self._stop():  # whose right has ended is not kept waiting for their next line
                    return
                self._arrived.clear()
                await self._arrived.wait()
                continue
            first = self._jobs[0][0].task
            if first is not None and not first.done():
                await asyncio.wait([first])
            ready = bytearray()
            while self._jobs and ((task := self._jobs[0][0].task) is None or task.done()):
                job, size = self._jobs.popleft()
                answer = job.answer
                ready += _encode(answer) + b"\n"
                rejected = answer["status"] == "rejected"
                if answer["status"] == "repeated":
                    self._quota.give_back()
                self._rejected, self._taken = self._rejected + rejected, self._taken + (not rejected)
                self._window.release()
                self._slots.room.give(size)
            self._answered.set()
            await self._send(send, {"type": "http.response.body", "body": bytes(ready), "more_body": True})

    async def _send(self, send: Send, message: Message) -> None:
        async with asyncio.timeout(self._patience):
            await send(message)
