"""A request byte for byte as a server hands it on, and everything of its answer; no client tidies it up on the way.

The application is called as uvicorn calls it. What its HTTP parser refuses gets nowhere: `tests/security/test_wire.py`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.types import Message

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Request:
    """`target` is path and query, percent-encoded ASCII; header names are in lower case."""

    service: str
    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    chunks: int = 1
    """In how many pieces the body arrives."""

    def header(self, name: bytes) -> list[bytes]:
        return [value for known, value in self.headers if known == name]

    def as_curl(self, origin: str = "http://127.0.0.1:8000") -> str:
        """A line that sends the same; a body that no terminal can show is piped in."""
        words = ["curl", "-i", "-X", self.method]
        for name, value in self.headers:
            text = value.decode("latin-1")
            if name == b"authorization" and text.startswith("Bearer ey"):
                words += ["-H", '"Authorization: Bearer $TOKEN"']
            else:
                words += ["-H", quote(f"{name.decode('latin-1')}: {text}")]
        if not self.body:
            return " ".join([*words, quote(origin + self.target)])
        if len(self.body) > 2_000 or not self.body.isascii() or not self.body.decode("ascii").isprintable():
            head = self.body[:120]
            piped = f"{head!r} … ({len(self.body)} bytes)" if len(self.body) > 120 else repr(self.body)
            return " ".join([*words, "--data-binary", "@body", quote(origin + self.target), "  # body:", piped])
        return " ".join([*words, "--data-binary", quote(self.body.decode("ascii")), quote(origin + self.target)])


@dataclass(frozen=True)
class Answer:
    """`failure` is what the application raised instead of answering: a server would cut the connection."""

    status: int
    headers: Headers
    body: bytes
    failure: BaseException | None = None
    _json: list[Any] = field(default_factory=list)

    def header(self, name: bytes) -> bytes | None:
        return next((value for known, value in self.headers if known.lower() == name), None)

    @property
    def media_type(self) -> str:
        return (self.header(b"content-type") or b"").partition(b";")[0].decode("latin-1")

    def json(self) -> Any:
        if not self._json:
            self._json.append(json.loads(self.body))
        return self._json[0]


def _announced(request: Request) -> list[tuple[bytes, bytes]]:
    """The headers, with the length of a body that has none: no server hands on a body that was not announced."""
    if not request.body or request.header(b"content-length") or request.header(b"transfer-encoding"):
        return list(request.headers)
    return [*request.headers, (b"content-length", str(len(request.body)).encode())]


async def send(app: FastAPI, request: Request) -> Answer:
    """Call the application with that request and collect what it answers."""
    path, _, query = request.target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": _announced(request),
        "client": ("192.0.2.1", 4711),
        "server": ("guildhall", 80),
        "state": {},
    }
    size = max(1, -(-len(request.body) // request.chunks))
    sent: int | None = 0
    gone = asyncio.Event()

    async def receive() -> Message:
        nonlocal sent
        if sent is None:
            await gone.wait()
            return {"type": "http.disconnect"}
        part = request.body[sent : sent + size]
        sent = sent + size if sent + size < len(request.body) else None
        return {"type": "http.request", "body": part, "more_body": sent is not None}

    start: Message = {}
    body = bytearray()

    async def answer(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b""))

    failure = None
    try:
        await app(scope, receive, answer)
    except Exception as error:
        failure = error
    return Answer(start.get("status", 0), start.get("headers", []), bytes(body), failure)
