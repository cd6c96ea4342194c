"""What is sent too slowly, never ends, or is not what its head says is cut off, at a service and at the gateway."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from deploy.local import routes
from shared.web import bodies, connection
from shared.web.backfill import exchange
from tests.conftest import FreshDatabase
from tests.shared.issuer import bearer, write_key_set
from tests.shared.live import gateway_to, listening
from tests.shared.toy_api import toy_api
from tests.shared.toy_service import SERVICE

SQUARE = b"/v1/communities/square"
ACCOUNTS = "/v1/communities/{community}/accounts"
TEMPLATES: dict[str, list[str]] = {
    ACCOUNTS: [],
    f"{ACCOUNTS}/{{account}}": [],
    f"{ACCOUNTS}/{{account}}/deposits": [],
    "/v1/communities/{community}/toy/backfill": ["POST"],
}
DEPOSITS = SQUARE + b"/accounts/0190d0a0-0000-7000-8000-000000000000/deposits"
BACKFILL = SQUARE + b"/toy/backfill"
LOOK_ALIKE = SQUARE + b"/accounts/backfill"
LOOK_ALIKE_BELOW = SQUARE + b"/accounts/backfill/deposits/backfill"
SOON = 15.0
"""Seconds in which what has short limits here is over, on a busy machine."""
CHUNK = b"ffff\r\n" + b" " * 0xFFFF + b"\r\n"

Doors = dict[str, int]


@pytest.fixture(scope="module")
async def doors(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Doors]:
    jwks, folder = write_key_set(tmp_path_factory.mktemp("issuer")), tmp_path_factory.mktemp("gateway")
    with pytest.MonkeyPatch.context() as short:
        short.setattr(connection, "HEAD_IN", 1.0)
        short.setattr(connection, "LINGER", 0.5)
        short.setattr(bodies, "ARRIVES_IN", 1.5)
        short.setattr(exchange, "SILENCE", 1.5)
        short.setattr(routes, "HEAD_IN", "1s")
        short.setattr(routes, "REQUEST_IN", "3s")
        short.setattr(routes, "IDLE", "2s")
        async with fresh_database(SERVICE.metadata) as settings, toy_api(settings, jwks) as api:
            await api.community("square")
            await api.standing("square", "alice", "member", "owner")
            async with listening(api.app) as port, gateway_to(port, TEMPLATES, folder) as own:
                yield {"service": port, "gateway": own}


@pytest.fixture(params=["service", "gateway"])
def door(doors: Doors, request: pytest.FixtureRequest) -> int:
    return doors[request.param]


def head(method: bytes, path: bytes, *more: bytes, token: bool = True) -> bytes:
    caller = [b"authorization: " + bearer(scope="guildhall:backfill")["authorization"].encode()] if token else []
    kind = b"application/x-ndjson" if path == BACKFILL else b"application/json"
    lines = [method + b" " + path + b" HTTP/1.1", b"host: toy", b"content-type: " + kind, *caller, *more]
    return b"\r\n".join(lines) + b"\r\n\r\n"


CHUNKED = b"transfer-encoding: chunked"


async def played(
    port: int, start: bytes, more: bytes = b"", every: float = 0.0, most: int = 10**9
) -> tuple[int, bytes, int, float]:
    """Status (0 for none), body, the bytes that were taken and the seconds until the connection was at its end."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = len(start)

    async def send() -> None:
        nonlocal sent
        with suppress(ConnectionError):
            writer.write(start)
            while more and sent < most:
                await asyncio.sleep(every)
                writer.write(more)
                await writer.drain()
                sent += len(more)

    sending = asyncio.create_task(send())
    received = b""
    try:
        with suppress(ConnectionError):
            while piece := await asyncio.wait_for(reader.read(65_536), timeout=SOON):
                received += piece
        await asyncio.sleep(0 if every else 0.2)  # what is thrown away behind an answer is bounded, too
    finally:
        sending.cancel()
        writer.transport.abort()
    answer, _, body = received.partition(b"\r\n\r\n")
    return int(answer.split()[1]) if answer else 0, body, sent, time.monotonic() - began


async def lives(port: int) -> bool:
    status, *_ = await played(port, head(b"GET", SQUARE + b"/accounts", b"connection: close"))
    return status == 200


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        (b"POST", BACKFILL, False, 401),
        (b"POST", DEPOSITS, False, 401),
        (b"POST", SQUARE + b"/accounts", False, 401),
        (b"PATCH", BACKFILL, True, 405),
        (b"PUT", LOOK_ALIKE, True, 405),
        (b"DELETE", LOOK_ALIKE, True, 413),
        (b"POST", LOOK_ALIKE_BELOW, True, 404),
        (b"POST", DEPOSITS, True, 413),
        (b"PROPFIND", DEPOSITS, True, 405),
    ],
)
async def test_two_hundred_megabytes_are_not_read(
    door: int, method: bytes, path: bytes, token: bool, status: int
) -> None:
    got, body, sent, _ = await played(door, head(method, path, CHUNKED, token=token), CHUNK, most=200_000_000)

    assert got in (status, 413, 0)  # the gateway may be the first; an answer may be lost to who writes on and on
    assert sent < 16_000_000  # most of it is in the buffers of the system
    assert not body or json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])["status"] == got
    assert await lives(door)


@pytest.mark.parametrize("path", [BACKFILL, DEPOSITS, LOOK_ALIKE, b"/v1/elsewhere/backfill"])
async def test_nobody_without_a_token_has_a_body_waited_for(doors: Doors, path: bytes) -> None:
    for start in (
        head(b"POST", path, b"content-length: 3000000", token=False),
        head(b"POST", path, CHUNKED, token=False),
        head(b"POST", path, CHUNKED, b"expect: 100-continue", token=False),
        head(b"POST", path, b"content-length: 9", b"authorization: Bearer x", token=False) + b"{",
    ):
        status, body, _, took = await played(doors["service"], start)
        assert status in ((401,) if path in (BACKFILL, DEPOSITS) else (404, 405)), body
        assert took < 5


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"G",
        b"POST / HTTP/1.1\r\nhost: toy\r\nx-a: ",
        head(b"GET", SQUARE + b"/accounts") + b"GET / HT",
    ],
)
async def test_silence_and_half_a_head_are_cut(door: int, start: bytes) -> None:
    *_, took = await played(door, start)
    assert took < SOON - 1
    *_, took = await played(door, start, b"a", every=0.3)
    assert took < SOON - 1


@pytest.mark.parametrize("path", [DEPOSITS, BACKFILL, SQUARE + b"/accounts"])
@pytest.mark.parametrize("framing", [CHUNKED, b"content-length: 900"])
async def test_a_body_by_drops_and_one_that_stops_are_cut(door: int, path: bytes, framing: bytes) -> None:
    drop = b"1\r\n \r\n" if framing == CHUNKED else b" "
    for more in (drop, b""):
        status, _, _, took = await played(door, head(b"POST", path, framing) + drop, more, every=0.3)
        assert took < SOON - 1
        assert status in (200, 400, 408, 499, 503, 0)
    assert await lives(door)


async def test_a_body_that_does_not_come_is_told_so(doors: Doors) -> None:
    status, body, _, _ = await played(doors["service"], head(b"POST", DEPOSITS, b"content-length: 900") + b"{")

    assert status == 408
    assert json.loads(body)["type"] == "urn:guildhall:problem:request-timeout"


@pytest.mark.parametrize("path", [DEPOSITS, BACKFILL])
@pytest.mark.parametrize("body", [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}nonsense\r\n0\r\n\r\n", b"-1\r\n{}\r\n0\r\n\r\n"])
async def test_chunks_that_are_none_get_one_answer(door: int, path: bytes, body: bytes) -> None:
    status, answer, _, took = await played(door, head(b"POST", path, CHUNKED) + body)

    assert status in ((400,) if path == DEPOSITS else (400, 200, 0))
    assert b"HTTP/1.1 4" not in answer
    assert took < SOON - 1
    assert await lives(door)


async def test_a_body_with_get_ends_with_its_answer(door: int) -> None:
    status, *_, took = await played(door, head(b"GET", SQUARE + b"/accounts", CHUNKED), b"1\r\n \r\n", every=0.1)
    assert status in (400, 499, 0)
    assert took < SOON - 1
    *_, sent, took = await played(door, head(b"GET", SQUARE + b"/accounts", CHUNKED), CHUNK, most=200_000_000)
    assert sent < 16_000_000  # most of it is in the buffers of the system


async def test_a_backfill_holds_what_bodies_may_not(door: int) -> None:
    for line in (b'{"a": NaN}', b'"\\u0000"', b"[" * 60_000, b"[" + b"{}," * 60_000 + b"{}]", b'"\xff"', b"9" * 50):
        status, body, *_ = await played(
            door, head(b"POST", BACKFILL, b"connection: close", b"content-length: %d" % len(line)) + line
        )
        assert status == 200
        assert b'"rejected"' in body, line[:20]


async def test_one_caller_has_eight_backfills_at_once(doors: Doors) -> None:
    async def held() -> int:
        status, *_ = await played(doors["service"], head(b"POST", BACKFILL, CHUNKED))
        return status

    statuses = await asyncio.gather(*(held() for _ in range(exchange.MOST_OF_ONE + 3)))

    assert sorted(statuses) == [200] * exchange.MOST_OF_ONE + [429] * 3
    assert await held() == 200


async def test_http_2_is_not_spoken_without_tls(door: int) -> None:
    """Its streams would be 250 slow bodies on one connection."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
    *_, took = await played(door, preface)
    assert took < 5
    *_, took = await played(
        door,
        head(
            b"GET",
            SQUARE + b"/accounts",
            b"connection: upgrade, http2-settings",
            b"upgrade: h2c",
            b"http2-settings: AAMAAABkAAQAoAAAAAIAAAAA",
        ),
        b"\0" * 9,
        every=0.3,
    )
    assert took < SOON - 1
    assert await lives(door)


async def test_a_backfill_of_nothing_is_over(door: int) -> None:
    for filling in (b"\n", b"x"):
        start = head(b"POST", BACKFILL, CHUNKED)
        status, *_, took = await played(door, start, b"ffff\r\n" + filling * 0xFFFF + b"\r\n", every=0.05)
        assert status in (200, 0)
        assert took < SOON - 1
    assert await lives(door)


async def test_heads_trailers_and_chunks_of_the_smallest_pieces_are_refused(door: int) -> None:
    small = b"a:\r\n" * 16_000
    for start in (
        b"GET / HTTP/1.1\r\nhost: toy\r\n" + small + b"\r\n",
        head(b"POST", DEPOSITS, CHUNKED) + b"2\r\n{}\r\n0\r\n" + small + b"\r\n",
        head(b"POST", DEPOSITS, CHUNKED) + b"1\r\n \r\n" * 11_000,
        head(b"POST", DEPOSITS, CHUNKED) + b"1;" + b"a" * 60_000,
    ):
        status, *_, took = await played(door, start)
        assert 400 <= status < 500 or status == 0, start[-20:]
        assert took < SOON - 1
    assert await lives(door)
