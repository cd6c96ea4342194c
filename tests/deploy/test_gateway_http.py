"""Through the real gateway HTTP is what it is at the service, and its own pages keep to the same rules."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator

import pytest

from tests.conftest import FreshDatabase
from tests.shared.issuer import bearer, write_key_set
from tests.shared.live import gateway_to, listening
from tests.shared.toy_api import toy_api
from tests.shared.toy_service import SERVICE
from tests.shared.web.square import SQUARE

ACCOUNTS = "/v1/communities/{community}/accounts"
TEMPLATES: dict[str, list[str]] = {
    ACCOUNTS: [],
    f"{ACCOUNTS}/{{account}}": [],
}


@pytest.fixture(scope="module")
async def gateway(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    folder = tmp_path_factory.mktemp("gateway")
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with fresh_database(SERVICE.metadata) as settings, toy_api(settings, jwks) as api:
        await api.community("square")
        await api.standing("square", "alice")
        async with (
            listening(api.app) as port,
            gateway_to(port, TEMPLATES, folder, issuer=({"issuer": "o"}, {"keys": []})) as own,
        ):
            yield own


Answered = tuple[int, dict[str, str], bytes]


async def ask(port: int, method: str, target: str, *headers: str) -> Answered:
    """The answer to a request; where that is 503 with Retry-After, as on a slow machine, it is sent again."""
    until = time.monotonic() + 20
    while True:
        status, given, body = await ask_once(port, method, target, *headers)
        pause = given.get("retry-after")
        if status != 503 or pause is None or time.monotonic() + float(pause) > until:
            return status, given, body
        await asyncio.sleep(float(pause))


async def ask_once(port: int, method: str, target: str, *headers: str) -> Answered:
    """The one answer on a connection of its own: status, headers in lower case, and every byte after them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{method} {target} HTTP/1.1", "host: o", "connection: close", *headers]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    head, _, body = (await asyncio.wait_for(reader.read(), timeout=20)).partition(b"\r\n\r\n")
    writer.close()
    status, *fields = head.decode("latin-1").split("\r\n")
    return int(status.split()[1]), {k.lower(): v for k, _, v in (field.partition(": ") for field in fields)}, body


TOKEN = f"authorization: {bearer(exp=int(time.time()) + 3600)['authorization']}"


async def test_head_has_the_headers_of_get_and_no_body(gateway: int) -> None:
    for target in ("/", "/.well-known/jwks.json", "/docs/toy", "/openapi/toy.json", f"{SQUARE}/accounts", "/nothing"):
        got, got_headers, body = await ask(gateway, "GET", target, TOKEN)
        had, had_headers, nothing = await ask(gateway, "HEAD", target, TOKEN)
        moving = {"date", "x-request-id"} | ({"content-length"} if b"freshness" in body else set())
        if target == "/":  # made when it is asked for, so HEAD does not know how long it is
            moving |= {"transfer-encoding"}
        for name in moving:
            got_headers.pop(name, None)
            had_headers.pop(name, None)
        assert (got, got_headers, nothing) == (had, had_headers, b""), target
        assert body


async def test_every_path_tells_its_methods(gateway: int) -> None:
    for target, allow in (
        ("/", "GET, HEAD, OPTIONS"),
        ("/.well-known/openid-configuration", "GET, HEAD, OPTIONS"),
        ("/docs/toy", "GET, HEAD, OPTIONS"),
        (f"{SQUARE}/accounts", "GET, HEAD, OPTIONS, POST"),
    ):
        status, headers, body = await ask(gateway, "OPTIONS", target)
        assert (status, headers["allow"], body) == (204, allow, b""), target
        assert not {"content-type", "content-length"} & headers.keys()
        for method in ("DELETE", "TRACE", "QUERY"):
            status, headers, body = await ask(gateway, method, target)
            assert (status, headers["allow"], headers["cache-control"]) == (405, allow, "no-store"), target
            assert json.loads(body)["type"] == "urn:guildhall:problem:method-not-allowed"
    status, headers, body = await ask(gateway, "GET", "/nothing")
    assert (status, headers["cache-control"]) == (404, "no-store")


async def test_a_query_arrives_as_it_was_sent(gateway: int) -> None:
    for query, parameter in (("owner=a+b", "owner"), ("limit=1&limit=1", "limit"), ("limit=+1", "limit")):
        status, _, body = await ask(gateway, "GET", f"{SQUARE}/accounts?{query}", TOKEN)
        wanted = 200 if query == "limit=+1" else 422
        assert status == wanted, query
        if status == 422:
            assert json.loads(body)["errors"][0]["parameter"] == parameter
    assert (await ask(gateway, "GET", f"{SQUARE}/accounts?cursor=&owner=&limit=", TOKEN))[0] == 200


async def test_what_was_made_has_a_tag_that_saves_sending_it_again(gateway: int) -> None:
    status, headers, body = await ask(gateway, "POST", f"{SQUARE}/accounts", TOKEN, "content-length: 0")
    account = f"{SQUARE}/accounts/{json.loads(body)['id']}"
    status, headers, body = await ask(gateway, "GET", account, TOKEN, f"if-none-match: {headers['etag']}")
    assert (status, body) == (304, b"")
    assert {"etag", "cache-control", "vary", "date"} <= headers.keys()
    status, headers, _ = await ask(gateway, "GET", account, TOKEN, "upgrade: h2c, websocket", "accept: text/plain")
    assert (status, headers["content-type"]) == (406, "application/problem+json")


async def test_paths_are_what_they_look_like(gateway: int) -> None:
    for path in (f"{SQUARE}/accounts/", f"{SQUARE}//accounts", f"{SQUARE}%2Faccounts", f"{SQUARE}/x/../accounts"):
        status, headers, _ = await ask(gateway, "GET", path, TOKEN)
        assert (status, headers.get("location"), headers["content-type"]) == (404, None, "application/problem+json")
    assert (await ask(gateway, "GET", f"http://o{SQUARE}/accounts", TOKEN))[0] == 200
    date = (await ask(gateway, "GET", f"{SQUARE}/accounts"))[1]["date"]
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date)
