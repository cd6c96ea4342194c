"""The gateway stops sending to a service that is not ready or stands still, and comes back when it is ready again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local import routes
from tests.shared.live import gateway_to

Answers = dict[str, bytes]
SOON = 20.0


@pytest.fixture
def service() -> Answers:
    return {"/readyz": b"200 OK", "/v1/here": b"200 OK"}


@pytest.fixture
async def gateway(
    servers: None, service: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
                if not (status := service[path]):
                    await asyncio.sleep(SOON)
                writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    monkeypatch.setattr(routes, "ASKED_EVERY", "100ms")
    monkeypatch.setattr(routes, "ANSWERS_IN", "500ms")
    behind = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with gateway_to(behind.sockets[0].getsockname()[1], {"/v1/here": []}, tmp_path) as own:
        yield own
    behind.close()


async def status(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1/here HTTP/1.1\r\nhost: o\r\nconnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), timeout=SOON)
    writer.close()
    return int(answer.split()[1])


async def until(port: int, wanted: Callable[[int], bool]) -> bool:
    began = time.monotonic()
    while not wanted(await status(port)):
        if time.monotonic() - began > SOON:
            return False
        await asyncio.sleep(0.1)
    return True


@pytest.mark.parametrize("unready", [b"503 Service Unavailable", b""])
async def test_a_service_that_is_not_ready_is_sent_nothing_until_it_is(
    gateway: int, service: Answers, unready: bytes
) -> None:
    assert await status(gateway) == 200
    service["/readyz"] = unready
    assert await until(gateway, lambda got: got == 503)
    service["/readyz"] = b"200 OK"
    assert await until(gateway, lambda got: got == 200)


async def test_one_that_says_so_once_is_believed_the_next_time(gateway: int, service: Answers) -> None:
    for _ in range(3):
        service["/readyz"] = b"503 Service Unavailable"
        await asyncio.sleep(0.12)
        service["/readyz"] = b"200 OK"
        await asyncio.sleep(0.4)
        assert await status(gateway) == 200
