"""What tracing costs: POSTs to the content service's API with one in a hundred traced, and all, beside none.

Process, load and machine are those of `post.py`; the spans go to a receiver in this process that throws them away, as
to a collector beside the service. And what an event pays that nobody traces: the column of the log that stays null.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import asyncpg

from benchmarks.log import COMMUNITY, DATA, MEMBER, NOW, TYPE
from benchmarks.measuring import Load, Result, against, at_least, choose, drive
from benchmarks.post import drive as post
from benchmarks.post import running
from shared.tables import service_metadata
from tests.databases import fresh_database
from tests.stack import Stack

TRACED = {
    "one in 100": ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}, 0.9),
    "all": ({"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, 0.6),
}
"""By name: the sampler, and the share of the rate without tracing that must be left."""

COLUMNS = "partition, position, stream, version, type, id, community, actor, occurred_at, data"
WITHOUT = f"insert into log ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
WITH = f"insert into log ({COLUMNS}, traceparent) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"


async def measure(stack: Stack) -> list[Result]:
    results = [await _column(stack)]
    with _receiver() as endpoint:
        for name, (sampler, budget) in TRACED.items():
            results.append(await _posts(stack, name, {"GUILDHALL_OTLP_ENDPOINT": endpoint, **sampler}, budget))
    return results


async def _posts(stack: Stack, name: str, variables: Mapping[str, str], budget: float) -> Result:
    async with AsyncExitStack() as both:
        port, request = await both.enter_async_context(_service(stack, variables))
        plain_port, plain_request = await both.enter_async_context(_service(stack, {}))
        traced, plain = await against(
            lambda: post(port, request), lambda: post(plain_port, plain_request), choose(3, 7)
        )
    return at_least(f"POST traced ({name}), beside not traced", traced.rate, plain.rate, budget)


@asynccontextmanager
async def _service(stack: Stack, variables: Mapping[str, str]) -> AsyncIterator[tuple[int, bytes]]:
    with _environment(variables):  # while the process is started
        async with running(stack) as found:
            yield found


async def _column(stack: Stack) -> Result:
    """An INSERT with the column for a trace, null, beside one that does not name it."""
    async with fresh_database(stack, service_metadata(facts=True)) as settings:
        connection = await asyncpg.connect(settings.database_url)
        await connection.execute("set synchronous_commit = off")  # the disk is not what differs

        async def insert(statement: str, *more: object) -> object:
            place = (random.randrange(12), random.getrandbits(60))
            return await connection.execute(
                statement, *place, uuid4(), 1, TYPE, uuid4(), COMMUNITY, MEMBER, NOW, DATA, *more
            )

        async def ours() -> Load:
            return await drive(1, lambda: insert(WITH, None))

        async def limit() -> Load:
            return await drive(1, lambda: insert(WITHOUT))

        named, plain = await against(ours, limit)
        await connection.close()
    return at_least("INSERT with a null trace, beside without the column", named.rate, plain.rate, 0.97)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _receiver() -> Iterator[str]:
    """Takes everything and keeps nothing; its address."""

    class Sink(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
