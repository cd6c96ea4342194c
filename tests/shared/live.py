"""An application behind a real uvicorn on a free port, and a client that writes and reads at the same time."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from fastapi import FastAPI

from deploy.local import paths, routes
from shared.web.bodies import LARGEST_HEAD
from shared.web.protocol_errors import ProtocolErrors
from tests.shared.issuer import bearer


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the test runner keeps its own


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[int]:
    """The port on which the running application is served."""
    config = uvicorn.Config(
        app,
        port=0,
        lifespan="off",
        log_config=None,
        access_log=False,
        http=ProtocolErrors,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        loop="asyncio",
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def gateway_to(
    port: int,
    templates: Mapping[str, list[str]],
    folder: Path,
    issuer: tuple[Any, Any] | None = None,
    ready: str = "/readyz",
) -> AsyncIterator[int]:
    """The port of the real gateway in front of the toy service at `port`, which it asks at `ready` whether it is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own = int(free.getsockname()[1])
    upstreams = {"toy": routes.local(port)}
    made = routes.routes(upstreams, {"toy": templates}, issuer=issuer)
    config = json.dumps(routes.config(f"127.0.0.1:{own}", folder, made, upstreams)).replace("/readyz", ready)
    (folder / "caddy.json").write_text(config)
    caddy = await asyncio.create_subprocess_exec(
        str(paths.caddy()), "run", "--config", str(folder / "caddy.json"), env={"HOME": str(folder)}
    )
    try:
        for _ in range(600):
            with suppress(OSError):
                (await asyncio.open_connection("127.0.0.1", own))[1].close()
                break
            await asyncio.sleep(0.05)
        yield own
    finally:
        caddy.terminate()
        await caddy.wait()


class Conversation:
    """One backfill request under way, chunked both ways."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._rest = b""
        self.status = 0

    async def send(self, *lines: bytes | dict[str, object]) -> None:
        encoded = b"".join(line if isinstance(line, bytes) else msgspec.json.encode(line) + b"\n" for line in lines)
        await self.send_raw(encoded)

    async def send_raw(self, chunk: bytes) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await self._writer.drain()

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def answer(self) -> dict[str, Any] | None:
        """The next answer line, None at the end."""
        if not self.status:
            head = await self._reader.readuntil(b"\r\n\r\n")
            self.status = int(head.split()[1])
        while b"\n" not in self._rest:
            size = int(await self._reader.readuntil(b"\r\n"), 16)
            chunk = await self._reader.readexactly(size + 2)
            if size == 0:
                assert not self._rest, "half a line at the end"
                return None
            self._rest += chunk[:-2]
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = msgspec.json.decode(line)
        return found

    async def answers(self) -> list[dict[str, Any]]:
        """All answers from here on."""
        found = []
        while (line := await self.answer()) is not None:
            found.append(line)
        return found

    async def hang_up(self) -> None:
        self._writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def conversation(port: int, path: str, subject: str, **claims: object) -> AsyncIterator[Conversation]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nhost: toy\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n"
        f"authorization: {bearer(subject, **claims)['authorization']}\r\n\r\n".encode()
    )
    talk = Conversation(reader, writer)
    try:
        yield talk
    finally:
        await talk.hang_up()
