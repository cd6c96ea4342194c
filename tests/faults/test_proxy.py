"""The proxy does what it says, so that what is blamed on a network was one's fault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.e2e.system import free_port
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.usefixtures("servers")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echo() -> AsyncIterator[Proxy]:
    """A proxy before a server that says everything again."""

    async def again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1_000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(again, "127.0.0.1", 0)
    proxy = Proxy(free_port(), server.sockets[0].getsockname()[1])
    await proxy.start()
    yield proxy
    await proxy.close()
    server.close()
    await server.wait_closed()


async def ask(streams: Streams, word: bytes, within: float = 5.0) -> bytes:
    reader, writer = streams
    writer.write(word)
    async with asyncio.timeout(within):
        return await reader.readexactly(len(word))


async def test_it_passes_everything_on() -> None:
    async with echo() as proxy:
        streams = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(streams, b"x" * 500_000) == b"x" * 500_000
        streams[1].close()


async def test_what_is_swallowed_is_not_answered_and_arrives_in_order_once_it_is_mended() -> None:
    async with echo() as proxy:
        old = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(old, b"before") == b"before"
        proxy.swallow()
        old[1].write(b"one ")
        new = await asyncio.open_connection("127.0.0.1", proxy.port)  # taken, and left alone
        with pytest.raises(TimeoutError):
            await ask(new, b"anybody?", within=0.2)
        with pytest.raises(TimeoutError):
            await ask(old, b"two ", within=0.2)

        proxy.mend()

        assert await old[0].readexactly(8) == b"one two "
        assert await new[0].readexactly(8) == b"anybody?"
        for _, writer in (old, new):
            writer.close()


async def test_what_is_delayed_comes_later_and_in_order() -> None:
    async with echo() as proxy:
        streams = await asyncio.open_connection("127.0.0.1", proxy.port)
        proxy.delay(0.1)
        began = time.monotonic()
        streams[1].write(b"a")
        streams[1].write(b"b")
        assert await ask(streams, b"c", within=5) == b"a"
        assert time.monotonic() - began >= 0.2
        assert await streams[0].readexactly(2) == b"bc"
        streams[1].close()


async def test_a_cut_resets_connections_and_refuses_new_ones_until_it_is_mended() -> None:
    async with echo() as proxy:
        old = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(old, b"before") == b"before"
        proxy.cut()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await ask(old, b"after")
        new = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await ask(new, b"after")

        proxy.mend()

        again = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(again, b"again") == b"again"
        for _, writer in (old, new, again):
            writer.close()
