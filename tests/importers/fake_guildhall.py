"""Speaks the backfill protocol over a real socket and keeps nothing but what it has seen; faults come as told.

It is here for what the real services do only by accident: an answer cut off in the middle, a service that is away.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

NAMESPACE = UUID(int=1)


@dataclass
class Fault:
    """What happens to the next backfill request: a status instead of answers, or an end after so many answers."""

    status: int | None = None
    answers: int | None = None
    line: tuple[int, int] | None = None
    """A line, by its number, that is answered with a status of its own."""


@dataclass
class FakeGuildhall:
    communities: set[str] = field(default_factory=set)
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What else is answered about a source."""
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[tuple[str, int]] = field(default_factory=list)
    """Path and number of lines of each backfill request."""
    channels: list[dict[str, str]] = field(default_factory=list)
    token: str = "secret"
    port: int = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (head := await reader.readuntil(b"\r\n\r\n")) != b"":
                first, *fields = head.decode().split("\r\n")
                method, path, _ = first.split(" ")
                headers = {name.lower(): value for name, _, value in (f.partition(": ") for f in fields if f)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                if not await self.answer(writer, method, path, headers, body):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(
        self, writer: asyncio.StreamWriter, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> bool:
        """Answer one request; False when the connection is to be cut."""
        if headers.get("authorization") != f"Bearer {self.token}":
            return await send(writer, 401, {"detail": "Send a token."})
        parts = path.partition("?")[0].strip("/").split("/")
        if method == "POST" and len(parts) == 2:
            self.communities.add(json.loads(body)["slug"])
            return await send(writer, 201, {})
        if parts[2] not in self.communities:
            return await send(writer, 404, {"detail": "There is no such community."})
        if method == "GET":
            return await send(writer, 200, {"items": self.channels} if parts[3:] else {})
        return await self.backfill(writer, path, [json.loads(line) for line in body.splitlines()])

    async def backfill(self, writer: asyncio.StreamWriter, path: str, lines: list[dict[str, Any]]) -> bool:
        self.requests.append((path, len(lines)))
        fault = self.faults.popleft() if self.faults else Fault()
        if fault.status is not None:
            return await send(writer, fault.status, {"detail": "Not now."})
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number, line in enumerate(lines, 1):
            if fault.answers == number - 1:
                return False
            status = fault.line[1] if fault.line and fault.line[0] == number else None
            answer = json.dumps(self.take(number, line, status)).encode() + b"\n"
            writer.write(f"{len(answer):x}\r\n".encode() + answer + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def take(self, number: int, line: dict[str, Any], fault: int | None) -> dict[str, Any]:
        source = line["source"]
        answer: dict[str, Any] = {"line": number, "source": source, "id": str(uuid5(NAMESPACE, source))}
        answer["member"] = line["subject"] and str(uuid5(NAMESPACE, line["subject"]))
        if source in self.unknown:
            fault = 404
        if fault is not None:
            return {**answer, "id": None, "status": "rejected", "problem": {"status": fault, "detail": "Behind."}}
        if source in self.refused:
            return {**answer, "id": None, "status": "rejected", "problem": {"status": 422, "detail": "Too long."}}
        status = "repeated" if source in self.seen else "applied"
        self.seen.setdefault(source, line)
        if line["command"] == "open-channel" and status == "applied":
            self.channels.append({"name": line["name"], "purpose": line["purpose"]})
        return {**answer, "status": status, **self.told.get(source, {})}


async def send(writer: asyncio.StreamWriter, status: int, body: dict[str, Any]) -> bool:
    content = json.dumps(body).encode()
    writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
    await writer.drain()
    return True


@contextmanager
def serving(fake: FakeGuildhall) -> Iterator[FakeGuildhall]:
    """Serve from a thread of its own, so that tests may run the command line, which has a loop of its own."""
    listener = socket.create_server(("127.0.0.1", 0))  # here, so that whoever may not is told
    fake.port = listener.getsockname()[1]
    started = threading.Event()
    stop: asyncio.Event
    loop: asyncio.AbstractEventLoop

    async def main() -> None:
        nonlocal stop, loop
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        server = await asyncio.start_server(fake.handle, sock=listener)
        started.set()
        async with server:
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    started.wait(10)
    try:
        yield fake
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
