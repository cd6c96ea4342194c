"""Connections of a process are bounded: nobody keeps others out by holding many, nor by using up every descriptor."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from shared.web import connection
from tests.conftest import FreshDatabase
from tests.shared.issuer import bearer, write_key_set
from tests.shared.live import listening
from tests.shared.toy_api import toy_api
from tests.shared.toy_service import SERVICE

MOST = 20


@pytest.fixture(scope="module")
async def port(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with fresh_database(SERVICE.metadata) as settings, toy_api(settings, jwks) as api:
        await api.community("square")
        await api.standing("square", "alice")
        async with listening(api.app) as port:
            yield port


def ask(*more: str) -> bytes:
    token = bearer()["authorization"]
    lines = ["GET /v1/communities/square/me HTTP/1.1", "host: toy", f"authorization: {token}", *more, "", ""]
    return "\r\n".join(lines).encode()


async def answered(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ask("connection: close"))
    answer = await asyncio.wait_for(reader.read(), timeout=20)
    writer.close()
    return b" 200 " in answer[:20]


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nhost: ", ask()], ids=["silent", "half a head", "idle"])
async def test_connections_on_which_nothing_is_answered_make_room(
    port: int, first: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MOST", MOST)
    held = []
    for _ in range(3 * MOST):
        held.append(await asyncio.open_connection("127.0.0.1", port))
        held[-1][1].write(first)
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    assert await answered(port)

    async def stands(reader: asyncio.StreamReader) -> bool:
        try:
            while await asyncio.wait_for(reader.read(65_536), timeout=0.2):
                pass
        except TimeoutError:
            return True
        except ConnectionError:
            return False
        return False

    standing = await asyncio.gather(*(stands(reader) for reader, _ in held))
    assert sum(standing) <= MOST
    assert not any(standing[:MOST])  # the oldest went first
    for _, writer in held:
        writer.transport.abort()


async def test_a_process_without_descriptors_goes_on_when_there_are_some_again(port: int) -> None:
    early = socket.socket()
    early.setblocking(False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare: list[int] = []
    failures: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, found: failures.append(found))
    await asyncio.sleep(0.5)  # descriptors of connections that have just ended are given back
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 2_000), hard))
        with suppress(OSError):
            while True:
                spare.append(os.open(os.devnull, os.O_RDONLY))
        assert spare
        await loop.sock_connect(early, ("127.0.0.1", port))
        await loop.sock_sendall(early, ask("connection: close"))
        for _ in range(100):
            await asyncio.sleep(0.1)
            if failures:
                break
        assert any("out of system resource" in str(found["message"]) for found in failures)
    finally:
        for descriptor in spare:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        loop.set_exception_handler(None)
    try:
        assert b" 200 " in (await asyncio.wait_for(loop.sock_recv(early, 65_536), timeout=20))[:20]
    finally:
        early.close()
    assert await answered(port)
