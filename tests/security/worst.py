"""Requests made to cost much: the most that fits through every limit, or tries to get past it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.city.asking import Request
from tests.city.village import Village
from tests.positions import token_of

MEGABYTE = 1_000_000
CHUNK = 65_536
"""Bytes that a server reads at once."""


@dataclass(frozen=True)
class Worst:
    """`status` is what it is answered with; a costly request that is in order is answered 2xx."""

    name: str
    request: Callable[[Village], Request]
    status: int


def _json(
    body: bytes,
    path: str = "/threads",
    method: str = "POST",
    service: str = "content",
    *,
    by: str = "author",
    **headers: str,
) -> Callable[[Village], Request]:
    def make(village: Village) -> Request:
        bare = village.request(by, service, method, path)
        given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return Request(
            service, method, bare.target, [*bare.headers, (b"content-type", b"application/json"), *given], body
        )

    return make


def _founding(**changes: object) -> Callable[[Village], Request]:
    body = {"slug": "s", "name": "n", "purpose": "p", "language": "en", "time_zone": "UTC", **changes}

    def make(village: Village) -> Request:
        headers = [*village.bearer("author"), (b"content-type", b"application/json")]
        return Request("member", "POST", "/v1/communities", headers, json.dumps(body).encode())

    return make


def _get(path: str, service: str = "content", **headers: str) -> Callable[[Village], Request]:
    return lambda village: village.request("author", service, "GET", path, **headers)


def _lines(*lines: bytes) -> Callable[[Village], Request]:
    def make(village: Village) -> Request:
        bare = village.request("owner", "content", "POST", "/content/backfill")
        headers, body = [*bare.headers, (b"content-type", b"application/x-ndjson")], b"\n".join(lines)
        return Request("content", "POST", bare.target, headers, body, chunks=1 + len(body) // CHUNK)

    return make


def _thread(**changes: object) -> bytes:
    return json.dumps(
        {"channel_id": "0" * 8 + "-0000-7000-8000-" + "0" * 12, "title": "t", "body": "b", **changes}
    ).encode()


def _filled(start: bytes, filling: bytes, end: bytes = b"") -> bytes:
    return start + filling * ((MEGABYTE - len(start) - len(end)) // len(filling)) + end


LINE = json.dumps(
    {"command": "open-channel", "source": "s", "name": "n", "posting": "nobody", "occurred_at": "2020-01-01T00:00:00Z"}
)
BOMB = gzip.compress(b"\x00" * 20 * MEGABYTE)

WORST = [
    Worst("a gzip bomb", _json(BOMB, content_encoding="gzip"), 415),
    Worst("a brotli body", _json(b"x", content_encoding="br"), 415),
    Worst("deflate in a chain", _json(b"x", content_encoding="identity, deflate"), 415),
    Worst("a body of two megabytes", _json(b" " * 2 * MEGABYTE), 413),
    Worst("a body one byte too long", _json(_filled(b"{}", b" ") + b" "), 413),
    Worst("a megabyte of spaces", _json(_filled(b"{}", b" ")), 422),
    Worst("a megabyte of opening brackets", _json(b"[" * MEGABYTE), 422),
    Worst("a megabyte of nested objects", _json(_filled(b"", b'{"a":')), 422),
    Worst("a megabyte of empty objects", _json(_filled(b"[", b"{},", b"{}]")), 422),
    Worst("a megabyte of empty lists", _json(_filled(b"[", b"[],", b"[]]")), 422),
    Worst("a megabyte of empty texts", _json(_filled(b"[", b'"",', b'""]')), 422),
    Worst("a megabyte of numbers", _json(_filled(b"[", b"1,", b"1]")), 422),
    Worst("a megabyte of fields", _json(b"{" + b",".join(b'"%d":1' % n for n in range(90_000)) + b"}"), 422),
    Worst("a megabyte of one field, again and again", _json(_filled(b"{", b'"title":1,', b'"title":1}')), 422),
    Worst("as many wrong fields as pass", _json(b"{" + b",".join(b'"%d":1' % n for n in range(990)) + b"}"), 422),
    Worst("a number of a million digits", _json(_filled(b'{"title":', b"9", b"}")), 400),
    Worst("a fraction of a million digits", _json(_filled(b'{"title":0.', b"3", b"}")), 422),
    Worst("an exponent of a million digits", _json(_filled(b'{"title":1e', b"9", b"}")), 400),
    Worst("a text of a megabyte", _json(_filled(b'{"title":"', b"a", b'"}')), 422),
    Worst("a text of escapes", _json(_filled(b'{"title":"', b"\\u0041", b'"}')), 422),
    Worst("a text of surrogate pairs", _json(_filled(b'{"title":"', b"\\ud83d\\ude00", b'"}')), 422),
    Worst("a text of quotes", _json(_filled(b'{"title":"', b'\\"', b'"}')), 422),
    Worst("a text of backslashes", _json(_filled(b'{"title":"', b"\\\\", b'"}')), 422),
    Worst("a text of NULs", _json(_filled(b'{"title":"', b"\\u0000", b'"}')), 422),
    Worst("a text that never ends", _json(_filled(b'"', b'\\"')), 400),
    Worst("a text of commas and brackets", _json(_filled(b'{"title":"', b"[,{", b'"}')), 422),
    Worst("a name of a megabyte", _json(_filled(b'{"', b"k", b'":1}')), 422),
    Worst("combining marks to be composed", _json(_thread(tags=["e" + "\u0301" * 98] * 20)), 422),
    Worst("tags of ligatures that grow", _json(_thread(tags=["ﷺ" * 100] * 20)), 422),
    Worst("more tags than there may be", _json(_thread(tags=["a"] * 900)), 422),
    Worst("the longest body in order, in emoji", _json(_thread(body="😀" * 30_000)), 404),
    Worst("a slug that backtracks", _founding(slug="a-" * 30 + "!"), 422),
    Worst("a slug without end", _founding(slug="a-" * 300_000), 422),
    Worst("a language that backtracks", _founding(language="en" + "-abcde" * 5 + "-"), 422),
    Worst("a time zone that is a path", _founding(time_zone="../" * 20 + "etc/passwd"), 422),
    Worst("a query of 1,500 parameters", _get("/threads?" + "&".join(f"k{n}=1" for n in range(1_500))), 422),
    Worst("a cursor of 2,000 characters", _get("/threads?cursor=" + "A" * 2_000), 400),
    Worst("a page of 10,000", _get("/threads?limit=10000"), 422),
    Worst("the largest page", _get("/threads?limit=200&sort=active"), 200),
    Worst("every day of 130 years", _get("/metrics/activity?from=1970-01-01&to=2099-12-31", "projection"), 422),
    Worst("4,000 days", _get("/metrics/activity?from=2015-01-01&to=2025-12-13", "projection"), 200),
    Worst("positions by the thousand", _get("/threads", guildhall_after="content/0/1," * 1_000), 400),
    Worst(
        "as many positions as pass",
        _get("/tags", guildhall_after=token_of({("content", p): 999_999 for p in range(12)}), prefer="wait=0"),
        503,
    ),
    Worst("a list of media types", _get("/metrics/activity", "projection", accept="a/b;q=0.1," * 1_000), 406),
    Worst("a line of a backfill that is too long", _lines(b"x" * MEGABYTE), 200),
    Worst("a backfill of 10,000 lines of nothing", _lines(*[b"{}"] * 10_000), 200),
    Worst("a backfill of 1,000 wrong lines", _lines(*[LINE.encode()] * 1_000), 200),
    Worst("64 lines as long as they may be", _lines(*[b'"' + b"x" * 262_100 + b'"'] * 64), 200),
]
