"""Every operation of the published documents does what HTTP's standards say, method by method and header by header."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from urllib.parse import quote, unquote

import pytest

from tests.city.asking import Request
from tests.city.city import City
from tests.city.operations import operations
from tests.city.village import Village
from tests.security.everything import case_of, reads, told, with_headers, writes
from tests.security.matrix import LAST, NOWHERE
from tests.security.test_authorization import settled

MOVING = ("freshness", "time")


@pytest.fixture(scope="module")
async def village(town: City) -> Village:
    return await settled(town, "standards", "public")


async def test_head_is_get_without_the_body(village: Village) -> None:
    extra = [Request(service, "GET", path) for service in village.city.apps for path in ("/livez", "/openapi.json")]
    extra += [
        Request("member", "GET", "/docs"),
        Request("member", "GET", "/nothing"),
        Request("member", "GET", "/status"),
    ]
    refused = [replace(request, headers=[]) for request in reads(village)]
    tables = [
        with_headers(request, (b"accept", b"text/csv")) for request in reads(village) if "metrics/" in request.target
    ]
    differing = set()
    for get in [*reads(village), *tables, *refused, *extra]:
        shown, head = await village.city.ask(get), await village.city.ask(replace(get, method="HEAD"))
        here, there = told(shown.headers), told(head.headers)
        moving = {b"guildhall-freshness"} if shown.media_type == "text/csv" else set()
        if any(f'"{word}"'.encode() in shown.body for word in MOVING):  # tells how fresh it is, in so many characters
            moving.add(b"content-length")
        for name in (known.decode() for known in moving):
            assert (name in here) == (name in there)
            here.pop(name, None)
            there.pop(name, None)
        if (shown.status, here) != (head.status, there) or head.body:
            differing.add((get.target, shown.status, head.status, str(here), str(there)))
    assert differing == set()


async def test_options_and_405_tell_the_methods_of_the_path_and_ask_for_no_token(village: Village) -> None:
    methods: dict[tuple[str, str], set[str]] = defaultdict(set)
    for op in operations(village.city.documents):
        request = case_of(op, village).request(case_of(op, village).thing() or NOWHERE)
        methods[op.service, request.target.partition("?")[0]].add(op.method)
    # Two templates may both match a path: the document is asked with the same path for each.
    for (service, path), documented in methods.items():
        wanted = documented | {"OPTIONS"} | ({"HEAD"} if "GET" in documented else set())
        options = await village.city.ask(Request(service, "OPTIONS", path))
        assert (options.status, options.body, options.media_type) == (204, b"", ""), path
        allowed = set((options.header(b"allow") or b"").decode().split(", "))
        assert allowed >= wanted, path
        for method in ("POST", "PUT", "PATCH", "DELETE", "HEAD", "GET", "TRACE", "CONNECT", "QUERY", "get", "X" * 40):
            if method in allowed:
                continue
            answer = await village.city.ask(Request(service, method, path))
            assert (answer.status, answer.header(b"allow")) == (405, options.header(b"allow")), (method, path)
            assert answer.media_type == "application/problem+json"
            assert answer.header(b"cache-control") == b"no-store"
    assert (await village.city.ask(Request("member", "OPTIONS", "/v1/nothing"))).status == 404


async def test_options_of_the_whole_service_and_tunnels(village: Village) -> None:
    for target, method, status in (("*", "OPTIONS", 204), ("example.com:443", "CONNECT", 405)):
        answer = await village.city.ask(Request("content", method, target))
        assert (answer.status, answer.header(b"allow")) == (status, b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
    assert (await village.city.ask(Request("content", "GET", "*"))).status == 400


async def test_a_whole_url_as_the_target_means_its_path(village: Village) -> None:
    request = village.request("member", "content", "GET", "/threads?limit=1")
    whole = await village.city.ask(replace(request, target=f"http://elsewhere.example{request.target}"))
    assert whole.status == 200
    assert (await village.city.ask(Request("content", "GET", "HTTP://elsewhere.example/livez"))).status == 200


async def test_what_reads_tells_what_it_depends_on_and_who_may_keep_it(village: Village) -> None:
    for get in reads(village):
        shown = await village.city.ask(get)
        assert shown.header(b"vary") == b"Accept, Authorization", get.target
        kept = b"private, no-cache" if shown.header(b"etag") else b"no-store"
        assert (shown.header(b"cache-control"), shown.header(b"accept-ranges")) == (kept, b"none"), get.target
        for refused in (replace(get, headers=[]), with_headers(get, (b"accept", b"image/png"))):
            answer = await village.city.ask(refused)
            assert answer.status in (401, 406), get.target
            assert (answer.header(b"vary"), answer.header(b"cache-control")) == (shown.header(b"vary"), b"no-store")
    for path in ("/openapi.json", "/docs"):
        document = await village.city.ask(Request("content", "GET", path))
        assert (document.status, document.header(b"cache-control")) == (200, b"public, max-age=300")


async def test_a_caller_gets_what_is_taken_or_is_told_that_there_is_no_such_thing(village: Village) -> None:
    for get in reads(village):
        table = (
            "metrics/" in get.target
            and (await village.city.ask(with_headers(get, (b"accept", b"text/csv")))).status == 200
        )
        for accept, wanted in (
            (b"*/*", "application/json"),
            (b"", "application/json"),
            (b"application/*", "application/json"),
            (b"APPLICATION/JSON; charset=utf-8", "application/json"),
            (b"text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
            (b"text/csv;q=0.3, application/json;q=0.3", "application/json"),
            (b"text/*;q=0.9, application/json;q=0.1", "text/csv" if table else "application/json"),
            (b"*/*, application/json;q=0", "text/csv" if table else None),
            (b"text/*, text/csv;q=0", None),
            (b"text/csv", "text/csv" if table else None),
            (b"application/xml", None),
            (b"*/*;q=0", None),
            (b"application/json;q=0.000", None),
        ):
            answer = await village.city.ask(with_headers(get, (b"accept", accept)))
            found = answer.media_type if answer.status == 200 else None
            assert (answer.status, found) == (406 if wanted is None else 200, wanted), (get.target, accept)
        lines = [(b"accept", b"application/xml"), (b"accept", b"application/json")]
        assert (await village.city.ask(with_headers(get, *lines))).status == 200


async def test_a_change_is_made_whatever_its_caller_takes(village: Village) -> None:
    answer = await village.ask(
        "member", "feedback", "POST", "/suggestions", {"title": "x", "body": "y"}, accept="image/png"
    )
    assert (answer.status, answer.media_type) == (201, "application/json")


async def test_a_parameter_without_a_value_was_not_given(village: Village) -> None:
    tried = 0
    for op in (op for op in operations(village.city.documents) if op.method == "GET"):
        optional = [p["name"] for p in op.parameters if p["in"] == "query" and not p.get("required")]
        case = case_of(op, village)
        request = case.request(case.thing())
        sign = "&" if "?" in request.target else "?"
        for query in (*(f"{name}=" for name in optional), *optional, "&".join(f"{name}=" for name in optional)):
            answer = await village.city.ask(replace(request, target=f"{request.target}{sign}{query}"))
            assert answer.status == 200, (request.target, query, answer.body)
            tried += 1
        for name in optional[:1]:
            twice = await village.city.ask(replace(request, target=f"{request.target}{sign}{name}=1&{name}=1"))
            assert (twice.status, twice.json()["errors"][0]["parameter"]) == (422, name)
    assert tried > 50
    needed = await village.ask("member", "engagement", "GET", "/reactions?target=")
    assert (needed.status, needed.json()["errors"][0]["parameter"]) == (422, "target")


async def test_every_page_leads_to_the_next_with_everything_else_as_it_was(village: Village) -> None:
    tags = ["c++", "c#", "c", "a.b"]
    channel = village.ids["channel"][0]
    made: dict[str, set[str]] = defaultdict(set)
    for tag in tags * 2:
        body = {"channel_id": channel, "title": tag, "body": tag, "tags": [tag]}
        made[tag].add((await village.must("author", "content", "POST", "/threads", body))["id"])
    for tag, written in (
        ("c++", "c++"),
        ("c++", "c%2B%2B"),
        ("c++", "c%2b+"),
        ("c#", "c%23"),
        ("c", "c"),
        ("c++", "%20C++"),
    ):
        for _ in range(100):
            whole = await village.must("member", "content", "GET", f"/threads?tag={written}&sort=newest")
            if {item["id"] for item in whole["items"]} == made[tag]:
                break
            await asyncio.sleep(0.05)
        assert {item["id"] for item in whole["items"]} == made[tag], written
        first = await village.ask("member", "content", "GET", f"/threads?tag={written}&sort=newest&limit=1")
        link = (first.header(b"link") or b"").decode()
        target = link.partition("<")[2].partition(">")[0]
        assert "+" not in target
        assert "sort=newest" in target
        assert f"tag={quote(unquote(written), safe='')}" in target
        second = await village.city.ask(Request("content", "GET", target, village.bearer("member")))
        assert {first.json()["items"][0]["id"], second.json()["items"][0]["id"]} == made[tag]


async def test_paths_are_what_they_look_like(village: Village) -> None:
    thread = village.ids["thread"][0]
    for path, status in (
        (f"/threads/{thread}", 200),
        (f"/threads/{thread.upper()}", 200),
        (f"/threads/{thread}/", 404),
        (f"//threads/{thread}", 404),
        (f"/threads//{thread}", 404),
        (f"/threads%2F{thread}", 404),
        (f"/threads%2f{thread}", 404),
        (f"/threads/../threads/{thread}", 404),
        (f"/threads/%2e%2e/threads/{thread}", 404),
    ):
        answer = await village.ask("member", "content", "GET", path)
        assert (answer.status, answer.header(b"location")) == (status, None), path


async def test_a_key_is_the_same_however_an_id_is_written(village: Village) -> None:
    thread = village.ids["thread"][0]
    made = [
        await village.must(
            "member", "content", "POST", f"/threads/{way}/comments", {"body": "x"}, idempotency_key="case"
        )
        for way in (thread, thread.upper())
    ]
    assert made[0]["id"] == made[1]["id"]


async def test_bodies_are_taken_by_what_they_say_they_are(village: Village) -> None:
    bare = village.request("member", "feedback", "POST", "/suggestions")
    body = b'{"title": "x", "body": "y"}'
    for kind, status in (
        (b"application/json", 201),
        (b"APPLICATION/Json; Charset=UTF-8", 201),
        (b'application/json; charset="utf-8"', 201),
        (b"application/json;charset=utf-16", 415),
        (b"application/json; charset=latin-1", 415),
        (b"text/plain", 415),
        (b"", 415),
        (None, 415),
    ):
        given = [] if kind is None else [(b"content-type", kind)]
        answer = await village.city.ask(replace(bare, headers=[*bare.headers, *given], body=body))
        assert answer.status == status, kind
    for method in ("GET", "HEAD"):
        with_body = replace(village.request("member", "content", method, "/threads"), body=body)
        assert (await village.city.ask(with_body)).status == 422


async def test_expectations_that_nobody_meets_are_refused(village: Village) -> None:
    for value, status in (("100-continue", 201), ("100-Continue", 201), ("more", 417), ("100-continue, more", 417)):
        answer = await village.ask(
            "member", "feedback", "POST", "/suggestions", {"title": "x", "body": "y"}, expect=value
        )
        assert answer.status == status, value
        if status == 417:
            assert answer.json()["errors"][0]["parameter"] == "Expect"


async def test_what_is_too_long_is_told_by_what_it_is(village: Village) -> None:
    for target, header, status in (
        ("?a=" + "b" * 17_000, "", 414),
        ("", "b" * 17_000, 431),
        ("?a=" + "b" * 7_000, "", 422),
    ):
        answer = await village.ask("member", "content", "GET", f"/threads{target}", x_a=header)
        assert answer.status == status
        assert answer.media_type == ("application/json" if status == 200 else "application/problem+json")


async def test_who_has_no_good_token_is_told_how_to_come_by_one(village: Village) -> None:
    for op in operations(village.city.documents):
        case = case_of(op, village)
        request = case.request(case.thing())
        rest = [header for header in request.headers if header[0] != b"authorization"]
        for given, error in ((None, False), (b"Basic YTpi", False), (b"Bearer nonsense", True)):
            headers = [*rest, *([] if given is None else [(b"authorization", given)])]
            for method in {op.method, "HEAD" if op.method == "GET" else op.method}:
                answer = await village.city.ask(replace(request, method=method, headers=headers))
                challenge = answer.header(b"www-authenticate") or b""
                assert (answer.status, challenge[:24]) == (401, b'Bearer realm="guildhall"'), op.id
                assert (b'error="invalid_token"' in challenge) == error


async def test_what_was_made_says_where_it_is(village: Village) -> None:
    made = 0
    for case in writes(village):
        if "201" not in case.operation.spec["responses"] or case.operation.id in LAST:
            continue
        answer = await village.city.ask(case.request(case.thing()))
        location = (answer.header(b"location") or b"").decode()
        assert (answer.status, location[:16]) == (201, "/v1/communities/"), case.operation.id
        made += 1
        methods = (await village.city.ask(Request(case.operation.service, "OPTIONS", location))).header(b"allow") or b""
        assert b"GET" in methods or b"PUT" in methods, location
    assert made >= 8


async def test_who_lacks_a_scope_is_told_which(village: Village) -> None:
    bare = village.request("owner", "content", "POST", "/content/backfill")
    token = village.city.bearer(village.subject("owner"))
    answer = await village.city.ask(replace(bare, headers=[token, (b"content-type", b"application/x-ndjson")]))
    challenge = b'Bearer realm="guildhall", error="insufficient_scope", scope="guildhall:backfill"'
    assert (answer.status, answer.header(b"www-authenticate")) == (403, challenge)
