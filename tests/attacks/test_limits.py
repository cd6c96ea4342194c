"""No path, method or framing gets a body past its limit, and nothing that is slow or silent is kept for ever.

Attacks 1, 14 and 25, at the services and at the gateway. With limits of seconds, drip by drip, at both doors:
`tests/security/test_endless.py`; a hundred attackers at once: `python -m tests.security.endless`.
"""

from __future__ import annotations

import asyncio
import re
import resource
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local.service import SERVICES
from shared.web.connection import HEAD_IN
from tests.attacks.target import Target

CHUNK = b"ffff\r\n" + b" " * 0xFFFF + b"\r\n"
CHUNKED = b"transfer-encoding: chunked"


def most_buffered(direction: str) -> int:
    """Bytes that the kernel keeps at most of what goes one way on a connection: newer ones keep 32 MB of what came."""
    return int(Path(f"/proc/sys/net/ipv4/tcp_{direction}").read_text().split()[2])


TAKEN = 2 * (most_buffered("rmem") + most_buffered("wmem")) + 10_000_000
"""Bytes that fit into all buffers on the way, to the gateway and from there to a service: these fill where a service is
slow to refuse. The limits themselves are far below: the gateway reads 2 MB at most unless the path streams.
"""
SENT = TAKEN + 35_000_000
"""Bytes that an attacker has to send."""
GROWN = 50_000_000
SLOW = HEAD_IN + 15.0
AT_ONCE = 8

_room = asyncio.Semaphore(AT_ONCE)


def head(method: bytes, path: str, *lines: bytes, token: str = "") -> bytes:
    start = [method + b" " + path.encode() + b" HTTP/1.1", b"host: guildhall", b"content-type: application/json"]
    caller = [b"authorization: Bearer " + token.encode()] if token else []
    return b"\r\n".join([*start, *caller, *lines]) + b"\r\n\r\n"


async def played(port: int, start: bytes, more: bytes = b"", every: float = 0.0) -> tuple[int, bytes, int, float]:
    """Status (0 for none), what was answered, bytes that were taken, and seconds until the connection ended."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = 0

    async def send() -> None:
        nonlocal sent
        with suppress(ConnectionError):
            writer.write(start)
            while more and sent < SENT:
                await asyncio.sleep(every)
                writer.write(more)
                await writer.drain()
                sent += len(more)

    sending, received = asyncio.create_task(send()), b""
    try:
        with suppress(ConnectionError, TimeoutError):
            while piece := await asyncio.wait_for(reader.read(65_536), SLOW):
                received += piece
    finally:
        sending.cancel()
        writer.transport.abort()
    return int(received.split()[1]) if received else 0, received, sent, time.monotonic() - began


def look_alikes(target: Target, service: str) -> Iterable[tuple[str, str]]:
    """Methods and paths that end as those that stream do, or are one, but for something."""
    streaming = f"/v1/communities/none/{service}/backfill"
    for op in target.operations:
        if op.service == service and "{" in op.path and not op.spec.get("x-streamed"):
            yield op.method, re.sub(r"\{\w+\}", "backfill", op.path)
    for method in ("PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS", "PROPFIND", "post", "CONNECT", "TRACE"):
        yield method, streaming
    for ending in (
        "/",
        "//",
        "?backfill",
        "#backfill",
        ";backfill",
        "%2f",
        "/../backfill",
        "/.",
        "%00",
        "%20",
        "/x/backfill",
    ):
        yield "POST", streaming + ending
    for path in (
        streaming,
        streaming.replace("backfill", "%62ackfill"),
        streaming.replace("backfill", "BACKFILL"),
        streaming.replace("backfill", "b%61ckfill%2fbackfill"),
        streaming.replace(service, f"{service}/{service}"),
        streaming.replace(f"/{service}/", f"//{service}//"),
        streaming.replace("/none/", "/backfill/"),
        "/backfill",
        "/v1/backfill",
        "/v1/communities/backfill",
        "/v1/communities/none/backfill",
        "/docs/backfill",
        "/readyz/backfill",
    ):
        yield "POST", path


@pytest.mark.parametrize("door", [*SERVICES, "origin"])
async def test_no_path_takes_an_endless_body_of_somebody_unknown(target: Target, door: str) -> None:
    """1: "any path that ends in `/backfill` escapes every limit, without a token"; and what else looks like one."""
    names = SERVICES if door == "origin" else (door,)
    port, asked = target.ports[door], [each for name in names for each in look_alikes(target, name)]
    if door == "origin":
        asked = asked[::4]  # all of them go through the same few routes
    process = target.pid("gateway" if door == "origin" else door)
    before = resident(process)

    async def attack(method: str, path: str) -> tuple[int, int]:
        async with _room:
            status, _, sent, _ = await played(port, head(method.encode(), path, CHUNKED), CHUNK)
            return status, sent

    answers = await asyncio.gather(*(attack(*one) for one in asked))
    for one, (status, sent) in zip(asked, answers, strict=True):
        # 503: what the gateway says where the service has ended the connection before the gateway has sent all.
        assert status in (0, 400, 401, 404, 405, 413, 429, 503) or (status in (200, 204) and one[0] != "POST"), one
        assert sent < TAKEN, (one, sent)
    assert resident(process) - before < GROWN


@pytest.mark.parametrize("door", ["content", "origin"])
async def test_a_member_has_no_limit_lifted_by_a_paths_look(target: Target, door: str) -> None:
    """1: the same with a good token, on ids that are called `backfill`, and on the backfill without its scope."""
    place = await target.found("bob")
    token = target.token(place.subject("bob"))
    below = f"/v1/communities/{place.slug}"
    before = resident(target.pid("content"))

    async def attack(method: bytes, path: str) -> None:
        status, _, sent, _ = await played(target.ports[door], head(method, below + path, CHUNKED, token=token), CHUNK)
        # 503: what the gateway says where the service has ended the connection before the gateway has sent all.
        refused = (0, 403, 404, 405, 413, 415, 422, *([503] if door == "origin" else []))
        assert status in refused or (method, status) == (b"GET", 400), (method, path, status)
        assert sent < TAKEN, (method, path, sent)

    await asyncio.gather(
        attack(b"PATCH", "/threads/backfill"),
        attack(b"POST", "/threads/backfill/replies"),
        attack(b"PATCH", "/replies/backfill"),
        attack(b"PUT", "/threads/backfill/accepted-answer"),
        attack(b"PATCH", "/channels/backfill"),
        attack(b"POST", "/threads"),
        attack(b"POST", "/content/backfill"),
        attack(b"GET", "/threads"),
    )
    assert resident(target.pid("content")) - before < GROWN


def resident(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()


async def test_silence_half_a_head_and_a_body_by_drops_are_cut(target: Target) -> None:
    """14: at every service and at the gateway, 130 s and 20 s were not the end of it; all at once here."""
    place = await target.found("bob")
    token = target.token(place.subject("bob"))
    below = f"/v1/communities/{place.slug}"
    heads: list[tuple[bytes, bytes]] = [
        (b"", b""),
        (b"P", b""),
        (b"GET / HTTP/1.1\r\nhost: g\r\nx: ", b""),
        (b"GET / HTTP/1.1\r\nhost: g\r\nx: ", b"a"),
        (b"\r\n", b"\r\n"),
    ]
    bodies: list[tuple[bytes, bytes]] = [
        (head(b"POST", f"{below}/threads", CHUNKED, token=token), b"1\r\n \r\n"),
        (head(b"POST", f"{below}/threads", CHUNKED, token=token), b""),
        (head(b"POST", f"{below}/threads", b"content-length: 900", token=token) + b"{", b" "),
        (head(b"POST", f"{below}/threads", b"content-length: 900", b"expect: 100-continue", token=token), b""),
        (head(b"POST", f"{below}/threads", CHUNKED), b"1\r\n \r\n"),
        (head(b"GET", f"{below}/threads", CHUNKED, token=token), b"1\r\n \r\n"),
        (head(b"POST", f"{below}/content/backfill", CHUNKED), b"1\r\n \r\n"),
    ]
    doors = {name: target.ports[name] for name in (*SERVICES, "origin")}
    asked = [(name, one) for name in doors for one in heads] + [("content", one) for one in bodies]

    ended = await asyncio.gather(*(played(doors[name], start, more, every=0.5) for name, (start, more) in asked))
    for (name, one), (_, _, _, took) in zip(asked, ended, strict=True):
        assert took < SLOW, (name, one[0][:80])


@pytest.mark.parametrize("door", ["content", "origin"])
async def test_chunks_that_are_none_get_one_answer_that_says_so(target: Target, door: str) -> None:
    """25: malformed chunks got 503, and then 400."""
    place = await target.found("bob")
    token = target.token(place.subject("bob"))
    for body in (
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}nonsense\r\n0\r\n\r\n",
        b"-1\r\n{}\r\n0\r\n\r\n",
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"2 2\r\n{}\r\n0\r\n\r\n",
        b"f" * 25 + b"\r\n{}\r\n0\r\n\r\n",
        b"\r\n{}\r\n0\r\n\r\n",
        b" \r\n{}\r\n0\r\n\r\n",
        b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}\r\n0\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
    ):
        start = head(b"POST", f"/v1/communities/{place.slug}/threads", CHUNKED, token=token)
        status, answer, _, _ = await played(target.ports[door], start + body)
        assert status in ((400,) if len(body) < 1_000 else (400, 414, 431)), (body[:80], answer)
        assert len(re.findall(rb"HTTP/1.1 \d", answer)) == 1, (body, answer)
    assert (await place.by("bob", "GET", "/threads")).status_code == 200
