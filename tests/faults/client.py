"""A keep-alive HTTP/1.1 client that hides nothing: what it was answered, or that it was not, and how long that took.

As every client does it sends a request once more, on a new connection, when the one it had kept turns out to be
closed before a byte of an answer came; the requests of these tests may all be repeated.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class NoAnswer(Exception):
    """The connection broke, was refused, or nothing came in time: what became of the request is not known."""


class _Stale(Exception):
    """A connection that was kept had been closed."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection; one request at a time. `timeout` is in seconds."""

    def __init__(self, port: int, token: str, *, timeout: float = 15.0) -> None:
        self.port = port
        self._token = token
        self._timeout = timeout
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: object = None, *, key: str | None = None) -> Answer:
        """Raises `NoAnswer`."""
        payload = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: guildhall\r\nauthorization: Bearer {self._token}\r\n"
        if body is not None:
            head += "content-type: application/json\r\n"
        if key is not None:
            head += f"idempotency-key: {key}\r\n"
        message = f"{head}content-length: {len(payload)}\r\n\r\n".encode() + payload
        try:
            async with asyncio.timeout(self._timeout):
                if self._streams is not None:
                    try:
                        return await self._exchange(message, kept=True)
                    except _Stale:
                        self.close()
                return await self._exchange(message, kept=False)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            self.close()
            raise NoAnswer(f"{type(error).__name__}: {error}") from error
        except BaseException:
            self.close()
            raise

    async def _exchange(self, message: bytes, *, kept: bool) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self._streams
        try:
            writer.write(message)
            first = await reader.readline()
        except OSError:
            first = b""
        if not first:
            raise _Stale if kept else EOFError("closed without an answer")
        status = int(first.split()[1])
        headers = {}
        while line := (await reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = await _chunks(reader)
        else:
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body
