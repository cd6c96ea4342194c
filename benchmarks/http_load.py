"""A load generator in a process of its own: keep-alive connections that each send a request when the last is answered.

Raw sockets and one search per answer, some 30 µs a request, so that it is never what limits. Reads one JSON `Order`
from standard input and writes one `Answer` to standard output.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import Counter
from itertools import cycle

import msgspec

from benchmarks.measuring import Load, load_of

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class Order(msgspec.Struct, frozen=True):
    port: int
    connections: int
    seconds: float
    request: bytes
    others: tuple[bytes, ...] = ()
    """Sent in turns with the first one."""


class Answer(msgspec.Struct, frozen=True):
    """`statuses` counts the answers by HTTP status; `busy` is the share of a core that the generator used."""

    load: Load
    statuses: dict[str, int]
    busy: float


class _Client(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last is complete."""

    def __init__(self, order: Order, until: float, times: list[float], statuses: Counter[str]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = cycle((order.request, *order.others))
        self._until = until
        self._times = times
        self._statuses = statuses
        self._received = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_ends = self._received.find(b"\r\n\r\n")
        if head_ends < 0:
            return
        length = _LENGTH.search(self._received, 0, head_ends + 2)
        assert length is not None, "an answer without a length"
        if len(self._received) < head_ends + 4 + int(length[1]):
            return
        now = time.perf_counter()
        self._times.append(now - self._sent)
        self._statuses[self._received[9:12].decode()] += 1
        self._received = b""
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def asked(order: Order, status: str) -> Load:
    """Let a process of its own generate that load; every answer must have that HTTP status."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.http_load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(msgspec.json.encode(order))
    answer = msgspec.json.decode(output, type=Answer)
    if answer.statuses.keys() != {status}:
        asked_for = order.request.partition(b" HTTP/")[0].decode()
        raise RuntimeError(f"not every answer to {asked_for} was a {status}: {answer.statuses}")
    if answer.busy > 0.8:
        raise RuntimeError(f"the load generator was the bottleneck: it used {answer.busy:.0%} of a core")
    return answer.load


async def generate(order: Order) -> Answer:
    times: list[float] = []
    statuses = Counter[str]()
    loop = asyncio.get_running_loop()
    began, used = time.perf_counter(), time.process_time()
    until = began + order.seconds
    clients = []
    for _ in range(order.connections):
        _, client = await loop.create_connection(
            lambda: _Client(order, until, times, statuses), "127.0.0.1", order.port
        )
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    took = time.perf_counter() - began
    return Answer(load_of(times, took), dict(statuses), (time.process_time() - used) / took)


if __name__ == "__main__":
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(generate(order))))
