"""What arrives is parsed at a cost that its bytes bound: lines of a head, of trailers, and chunks are counted."""

from __future__ import annotations

import time
from collections.abc import Callable

import h11
import pytest

from shared.web.received import FREE_CHUNKS, LONGEST_SIZE, MOST_HEADERS, PER_CHUNK, Received

HEAD = b"POST / HTTP/1.1\r\nhost: toy\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(body: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(body), extension, body)


LINES = [b"x" * 150, b"\n"] * 3_000  # a line and its end, each written by itself
GOOD = CHUNKED + b"".join(map(chunk, LINES)) + END


def parsed(*requests: bytes) -> bytes:
    """The bodies of the requests; raises what a server would refuse."""
    connection = h11.Connection(h11.SERVER, 16 * 1024)
    connection._receive_buffer = Received()
    body = b""
    for request in requests:
        connection.receive_data(request)
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            body += event.data if isinstance(event, h11.Data) else b""
        connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
        connection.send(h11.EndOfMessage())
        connection.start_next_cycle()
    return body


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"a:\r\n" * 16_000 + b"\r\n",
        HEAD + b"a:\r\n" * MOST_HEADERS + b"\r\n",
        HEAD + b"a:\r\n" + b" b\r\n" * 16_000 + b"\r\n",
        CHUNKED + chunk(b"{}") + b"0\r\n" + b"a:\r\n" * 16_000 + b"\r\n",
        CHUNKED + chunk(b" ") * (FREE_CHUNKS + 20) + END,
        CHUNKED + chunk(b" " * (PER_CHUNK // 2)) * 2_000 + END,
        CHUNKED + chunk(b" ", b";" + b"a" * LONGEST_SIZE) + END,
    ],
    ids=["headers", "one header too many", "folds", "trailers", "crumbs", "small chunks", "an extension"],
)
def test_what_would_take_long_is_refused_at_once(raw: bytes) -> None:
    """At a small part of what a good request of that size costs; h11's own buffer takes a seventh of it and more."""

    def refused() -> None:
        with pytest.raises(h11.RemoteProtocolError):
            parsed(raw)

    assert cost(refused) < cost(lambda: parsed(GOOD)) / 8


def cost(act: Callable[[], object]) -> float:
    """Seconds of the processor, the least of three."""
    took = []
    for _ in range(3):
        began = time.thread_time()
        act()
        took.append(time.thread_time() - began)
    return min(took)


def test_what_clients_send_passes() -> None:
    assert parsed(GOOD) == b"".join(LINES)
    assert parsed(HEAD + b"a:\r\n" * (MOST_HEADERS - 1) + b"\r\n") == b""
    assert parsed(CHUNKED + chunk(b"{}", b";name=value") + b"0\r\nchecksum: a\r\n\r\n") == b"{}"


def test_each_request_of_a_connection_is_counted_for_itself() -> None:
    crumbs = CHUNKED + chunk(b" ") * (FREE_CHUNKS - 1) + END
    assert len(parsed(*[crumbs] * 5)) == 5 * (FREE_CHUNKS - 1)
