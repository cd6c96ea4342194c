"""What is sent to hold a server up or to fill it: slow, endless, unread, or in the smallest pieces there are."""

from __future__ import annotations

import gzip
from dataclasses import dataclass


@dataclass(frozen=True)
class Move:
    """`first` is sent at once, `more` on and on after it, every so many seconds; answers are read, or never."""

    name: str
    first: bytes
    more: bytes = b""
    every: float = 1.0
    reads: bool = True


FILL = 0xFFFF
CHUNKED, LENGTH, NDJSON = b"transfer-encoding: chunked", b"content-length: 999999", b"application/x-ndjson"


def chunk(body: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(body), extension, body)


SPACES, CRUMBS = chunk(b" " * FILL), b"1\r\n \r\n" * 11_000
TINY_HEADERS = b"a:\r\n" * 16_000


def moves(community: bytes, token: bytes, owner: bytes) -> list[Move]:
    """The worst of each kind that is known, against the content service."""

    def head(method: bytes, path: bytes, *more: bytes, by: bytes = token, kind: bytes = b"application/json") -> bytes:
        lines = [method + b" " + community + path + b" HTTP/1.1", b"host: g", b"content-type: " + kind, *more]
        return b"\r\n".join([*lines, *([b"authorization: " + by] if by else [])]) + b"\r\n\r\n"

    def backfill(by: bytes = owner) -> bytes:
        return head(b"POST", b"/content/backfill", CHUNKED, by=by, kind=NDJSON)

    post, stranger = head(b"POST", b"/threads", CHUNKED), head(b"POST", b"/threads", CHUNKED, by=b"")
    page = head(b"GET", b"/threads?limit=200")
    return [
        Move("silence", b""),
        Move("half a head, by drops", b"GET / HTTP/1.1\r\nhost: g\r\nx: ", b"a", 2.0),
        Move("empty lines for a head", b"\r\n" * 1_000, b"\r\n" * 1_000, 0.1),
        Move("a head without end", b"GET / HTTP/1.1\r\nhost: g\r\n", b"a: b\r\n" * 10_000, 0.0),
        Move("a head of the smallest headers", b"GET / HTTP/1.1\r\nhost: g\r\n" + TINY_HEADERS + b"\r\n"),
        Move("a head of commas", b"GET / HTTP/1.1\r\nhost: g\r\nconnection: " + b"a," * 32_000 + b"\r\n\r\n"),
        Move("a target of 60 KB", head(b"GET", b"/threads?" + b"k=1&" * 15_000)),
        Move("a query of 4,000 parameters", head(b"GET", b"/threads?" + b"k=1&" * 3_500) * 4),
        Move("a list of tags", head(b"GET", b"/threads", b"if-none-match: " + b'"1",' * 3_500) * 4),
        Move("a list of ranges", head(b"GET", b"/threads", b"range: bytes=" + b"0-1," * 3_500) * 4),
        Move("a megabyte but its end, by drops", head(b"POST", b"/threads", LENGTH) + b" " * 900_000, b" ", 2.0),
        Move("a small body, by drops", head(b"POST", b"/threads", b"content-length: 900"), b" ", 2.0),
        Move("chunks by drops", post, b"1\r\n \r\n", 2.0),
        Move("a body that is waited for", head(b"POST", b"/threads", LENGTH, b"expect: 100-continue")),
        Move("a body that is too large", post, SPACES, 0.0),
        Move("a body of who is unknown", stranger, SPACES, 0.0),
        Move("a body where none is taken", head(b"PATCH", b"/threads/backfill", CHUNKED), SPACES, 0.0),
        Move("one of who is unknown", head(b"PATCH", b"/threads/backfill", CHUNKED, by=b""), SPACES, 0.0),
        Move("a body to be read", head(b"GET", b"/threads", CHUNKED), SPACES, 0.0),
        Move("crumbs", post + CRUMBS, CRUMBS, 0.0),
        Move("crumbs of who is unknown", stranger + CRUMBS, CRUMBS, 0.0),
        Move("a chunk's extension without end", post + b"1;", b"a" * FILL, 0.0),
        Move("chunks of extensions", post, chunk(b" ", b";" + b"a" * 15_000) * 4, 0.0),
        Move("trailers without end", post + chunk(b"{}") + b"0\r\n", b"a: b\r\n" * 10_000, 0.0),
        Move("the smallest trailers", post + chunk(b"{}") + b"0\r\n" + TINY_HEADERS + b"\r\n"),
        Move("chunks that are none", post + b"zz\r\n", b"zz\r\n", 0.1),
        Move("a bomb of zeros", head(b"POST", b"/threads", CHUNKED, b"content-encoding: gzip"), BOMB, 0.0),
        Move("a thousand requests at once", head(b"GET", b"/threads?limit=1") * 1_000),
        Move("a thousand heads at once", head(b"HEAD", b"/threads?limit=200") * 1_000),
        Move("a thousand that are unknown", head(b"GET", b"/threads", by=b"bearer e30.e30.e30") * 1_000),
        Move("pages that nobody takes", page * 200, reads=False),
        Move("heads, and their answers left", head(b"HEAD", b"/threads") * 500, reads=False),
        Move("a page, and then silence", page),
        Move(
            "a web socket", head(b"GET", b"/threads", b"connection: upgrade", b"upgrade: websocket"), b"\x81\x05", 1.0
        ),
        Move("HTTP/2", H2, b"\0\0\0\x04\0\0\0\0\0" * 1_000, 0.1),
        Move("a backfill of who is unknown", backfill(by=b""), SPACES, 0.0),
        Move("a backfill by drops", backfill(), chunk(b"{"), 2.0),
        Move("a backfill by crumbs", backfill() + CRUMBS, CRUMBS, 0.0),
        Move("a backfill of empty lines", backfill(), chunk(b"\n" * FILL), 0.0),
        Move("a backfill of one line", backfill(), chunk(b"x" * FILL), 0.0),
        Move("a backfill of large lines", backfill(), chunk(b"[" + b"{}," * 60_000 + b"{}]\n"), 0.2),
        Move("a backfill of wrong lines", backfill(), chunk(b"{}\n" * 1_000), 0.2),
        Move("a backfill whose answers nobody takes", backfill(), chunk(b"{}\n" * 20_000), 0.0, reads=False),
    ]


BOMB = chunk(gzip.compress(b"\x00" * 40_000_000))
H2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
