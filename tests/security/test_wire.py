"""What is no HTTP, and what tries to be two requests in one: refused or cut off, and the next connection works."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.conftest import FreshDatabase
from tests.shared.issuer import bearer, write_key_set
from tests.shared.live import listening
from tests.shared.toy_api import toy_api
from tests.shared.toy_service import SERVICE

PATH = b"/v1/communities/square/me"


@pytest.fixture(scope="module")
async def port(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with fresh_database(SERVICE.metadata) as settings, toy_api(settings, jwks) as api:
        await api.community("square")
        await api.standing("square", "alice")
        async with listening(api.app) as port:
            yield port


async def _send(port: int, raw: bytes) -> list[tuple[int, bytes, bytes]]:
    """Every answer on one connection: status, head, body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    received = b""
    with suppress(TimeoutError, ConnectionError):  # a connection that is kept open has said all it says
        while piece := await asyncio.wait_for(reader.read(65_536), timeout=0.5 if received else 30.0):
            received += piece
    writer.close()
    answers = []
    for answer in re.split(rb"HTTP/1\.1 (?=\d{3} )", received)[1:]:
        head, _, body = answer.partition(b"\r\n\r\n")
        answers.append((int(head[:3]), head, body))
    return answers


def _good(*more: bytes, method: bytes = b"GET", body: bytes = b"") -> bytes:
    token = bearer()["authorization"].encode()
    lines = [method + b" " + PATH + b" HTTP/1.1", b"host: toy", b"authorization: " + token, *more]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _chunked(body: bytes) -> bytes:
    return _good(b"transfer-encoding: chunked", method=b"POST", body=body)


MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    "a path with a space": b"GET /a b HTTP/1.1\r\nhost: a\r\n\r\n",
    "a path that is not ASCII": b"GET /\xff HTTP/1.1\r\nhost: a\r\n\r\n",
    "a header without a colon": _good(b"nonsense"),
    "a header with a space before the colon": _good(b"x : y"),
    "a header with a NUL": _good(b"x: a\x00b"),
    "a head of 20,000 bytes": _good(b"x: " + b"a" * 20_000),
    "two thousand headers": _good(*[b"x%d: y" % n for n in range(2_000)]),
    "a negative length": _good(b"content-length: -1", method=b"POST"),
    "two lengths": _good(b"content-length: 5", b"content-length: 6", method=b"POST", body=b"{}    "),
    "a length in words": _good(b"content-length: five", method=b"POST"),
    "a transfer encoding of its own": _good(b"transfer-encoding: gzip", method=b"POST"),
    "chunked twice": _good(b"transfer-encoding: chunked, chunked", method=b"POST"),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_http_is_refused_as_a_problem_and_the_connection_closed(port: int, name: str) -> None:
    answers = await _send(port, MALFORMED[name])

    assert {status // 100 for status, _, _ in answers} == {4}
    assert b"application/problem+json" in answers[0][1]
    assert json.loads(answers[0][2])["status"] == answers[0][0]
    assert [status for status, _, _ in await _send(port, _good(b"connection: close"))] == [200]


async def test_a_chunk_of_no_size_ends_the_connection(port: int) -> None:
    answers = await _send(port, _good(b"transfer-encoding: chunked", method=b"POST", body=b"zz\r\n{}\r\n0\r\n\r\n"))

    assert all(400 <= status < 500 for status, _, _ in answers)
    assert [status for status, _, _ in await _send(port, _good(b"connection: close"))] == [200]


async def test_a_length_and_chunks_together_are_not_two_requests(port: int) -> None:
    """Request smuggling: what follows the chunks is read as a request of its own, or not at all; never as a body."""
    inner = b"0\r\n\r\nGET /v1/secret HTTP/1.1\r\nhost: a\r\n\r\n"
    answers = await _send(
        port, _good(b"content-length: %d" % len(inner), b"transfer-encoding: chunked", method=b"POST", body=inner)
    )

    assert len(answers) <= 2
    assert all(400 <= status < 500 for status, _, _ in answers)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 414),
        (b"GET /?a=" + b"a" * 15_000 + b" HTTP/1.1\r\nhost: a\r\nx: " + b"b" * 2_500 + b"\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"b" * 20_000, 431),
        (_good(*[b"x%d: y" % n for n in range(150)]), 431),
        (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"a:\r\n" * 3_000 + b"\r\n", 431),
        (_chunked(b"0\r\n" + b"a:\r\n" * 3_000 + b"\r\n"), 431),
        (_chunked(b"1\r\n \r\n" * 2_000), 400),
        (_chunked(b"1;" + b"a" * 300 + b"\r\n \r\n0\r\n\r\n"), 400),
    ],
)
async def test_what_is_too_long_is_told_by_what_it_is(port: int, raw: bytes, status: int) -> None:
    answers = await _send(port, raw)

    assert [answer[0] for answer in answers] == [status]
    assert json.loads(answers[0][2])["status"] == status
    assert b"application/problem+json" in answers[0][1]


async def test_answers_without_content_leave_the_connection_in_step(port: int) -> None:
    path = PATH.replace(b"/me", b"/accounts")
    lines = b"\r\nhost: toy\r\nauthorization: " + bearer()["authorization"].encode()
    requests = [
        b"HEAD " + path + b" HTTP/1.1" + lines + b"\r\n\r\n",
        b"OPTIONS " + path + b" HTTP/1.1" + lines + b"\r\n\r\n",
        b"OPTIONS * HTTP/1.1" + lines + b"\r\n\r\n",
        b"GET " + path + b" HTTP/1.1" + lines + b"\r\nif-none-match: *\r\n\r\n",
        b"DELETE " + path + b" HTTP/1.1" + lines + b"\r\n\r\n",
        b"GET http://elsewhere.example"
        + path
        + b" HTTP/1.1"
        + lines
        + b"\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        b"GET " + path + b" HTTP/1.1" + lines + b"\r\ncontent-length: 2\r\n\r\n{}",
    ]
    answers = await _send(port, b"".join(requests))

    assert [(status, bool(body)) for status, _, body in answers] == [
        (200, False),
        (204, False),
        (204, False),
        (304, False),
        (405, True),
        (200, True),
        (422, True),  # nobody reads that body, and what follows it would be taken for it: the connection ends
    ]
    assert all(b"\r\ndate: " in head.lower() for _, head, _ in answers)


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize(
    ("announced", "body"),
    [
        (b"transfer-encoding: chunked", b"1\r\n \r\n0\r\n\r\n"),
        (b"transfer-encoding: chunked", b"ffff\r\n" + b" " * 0xFFFF),
        (b"content-length: 999999999", b" "),
    ],
)
async def test_a_long_body_where_nobody_reads_one_ends_the_connection_at_once(
    port: int, method: bytes, announced: bytes, body: bytes
) -> None:
    answers = await _send(port, _good(announced, method=method, body=body))

    assert [(status, b"connection: close" in head.lower()) for status, head, _ in answers] == [(400, True)]


async def test_who_waits_to_be_asked_for_the_body_is_asked_or_refused_without_it(port: int) -> None:
    async def first_line(expectation: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            _good(
                b"expect: " + expectation, b"content-type: application/json", b"content-length: 2", method=b"POST"
            ).replace(b"/me", b"/accounts")
        )
        line = await asyncio.wait_for(reader.readline(), timeout=5)
        writer.close()
        return line

    assert (await first_line(b"100-continue")).startswith(b"HTTP/1.1 100 ")
    assert (await first_line(b"gold")).startswith(b"HTTP/1.1 417 ")


async def test_a_thousand_requests_at_once_are_answered_one_after_the_other(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_good() * 999 + _good(b"connection: close"))
    received = await asyncio.wait_for(reader.read(), timeout=60)
    writer.close()

    assert received.count(b"HTTP/1.1 200 ") == 1_000


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c", b"TLS/1.0"])
async def test_an_upgrade_that_nobody_offers_is_passed_over(port: int, upgrade: bytes) -> None:
    answers = await _send(port, _good(b"connection: upgrade", b"upgrade: " + upgrade))

    assert [status for status, _, _ in answers] == [200]
