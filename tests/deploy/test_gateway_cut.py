"""Where a service ends a connection the gateway says 503; 400 is for requests that cannot be read."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.shared.live import gateway_to

TIMES = 40
CUT = {
    "at once": b"",
    "in the status": b"HTTP/1.1 2",
    "in the head": b"HTTP/1.1 201 Created\r\ncontent-le",
    "behind nonsense": b"\x00\x01\r\n",
    "behind a head of its own": b"HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\nHTTP/1.1 201 Cre",
}


@pytest.fixture
def answer() -> list[bytes]:
    """What the service says before it ends the connection; the first request of each connection is answered well."""
    return [b""]


@pytest.fixture
async def gateway(servers: None, answer: list[bytes], tmp_path: Path) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"/readyz" in head:
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    continue
                if b"content-length: 2" in head.lower():
                    await reader.readexactly(2)
                else:
                    await reader.readuntil(b"0\r\n\r\n")
                if b"x-well" in head.lower():
                    writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n")
                    continue
                writer.write(answer[0])
                break
        writer.close()

    # Room for the longest body: a reader that overruns would end the connection before the gateway has judged it.
    behind = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    async with gateway_to(behind.sockets[0].getsockname()[1], {"/v1/things": []}, tmp_path) as own:
        yield own
    behind.close()


async def post(port: int, *headers: str, body: bytes = b"{}") -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = ["POST /v1/things HTTP/1.1", "host: o", "connection: close", "content-type: application/json", *headers]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    said = await asyncio.wait_for(reader.read(), timeout=20)
    writer.close()
    return int(said.rpartition(b"HTTP/1.1 ")[2].split()[0])  # the last, behind hints


@pytest.mark.parametrize("how", CUT)
async def test_a_service_that_ends_the_connection_is_not_the_callers_fault(
    gateway: int, answer: list[bytes], how: str
) -> None:
    answer[0] = CUT[how]
    seen = Counter[int]()
    for _ in range(TIMES):
        assert await post(gateway, "content-length: 2", "x-well: 1") == 201  # a connection that is kept
        seen[await post(gateway, "content-length: 2")] += 1
    assert set(seen) == {503}, seen


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (["transfer-encoding: chunked"], b"zz\r\n{}\r\n0\r\n\r\n"),
        (["transfer-encoding: chunked"], b"\r\n{}\r\n0\r\n\r\n"),
        (["transfer-encoding: chunked"], b"2\r\n{}\r\n0\r\nno trailer\r\n\r\n"),
        (["transfer-encoding: chunked"], b"20000\r\n" + b" " * 0x20000 + b"zz\r\n"),
    ],
)
async def test_a_body_that_cannot_be_read_is(gateway: int, headers: list[str], body: bytes) -> None:
    assert {await post(gateway, *headers, body=body) for _ in range(10)} == {400}
