"""`make abuse`: what the worst requests cost, and what a hundred clients that send them do to one that does not.

The service runs in a process of its own behind uvicorn, as it is deployed, on real PostgreSQL.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from shared.service.memory import keep_freed_memory
from shared.settings import Settings
from tests.city.asking import Request
from tests.city.city import city
from tests.city.village import Village
from tests.fuzz.campaign import settle_memory
from tests.security.costs import cost
from tests.security.worst import WORST
from tests.shared.live import listening
from tests.stack import ROOT, stack_session

CLIENTS = 100
QUIET, ABUSED = 4.0, 12.0
"""Seconds for which the good client is measured alone, and beside the others."""
EVERY = 0.02
"""Seconds between two requests of the good client."""
_TOKEN = re.compile(rb"authorization: [^\r]+")
LIMITS = {"seconds": 0.05, "bytes": 10_000_000}


async def costs(console: Console) -> int:
    """The table of what the worst requests cost; how many are over the limits."""
    table = Table("request", "status", "CPU ms", "peak MB", title="Worst requests: at most 50 ms and 10 MB each")
    over = 0
    with stack_session() as shared, tempfile.TemporaryDirectory() as folder:
        async with city(shared, Path(folder)) as running:
            village = await Village(running, "costs").settle()
            for worst in WORST:
                spent = [await cost(village, worst, memory=number == 2) for number in range(3)]
                seconds, peak = min(one.seconds for one in spent), spent[-1].peak
                wrong = seconds > LIMITS["seconds"] or peak > LIMITS["bytes"]
                over += wrong
                figures = (f"{seconds * 1000:.1f}", f"{peak / 1e6:.1f}")
                table.add_row(worst.name, str(spent[0].answer.status), *figures, style="red" if wrong else None)
    console.print(table)
    console.print(f"{len(WORST)} requests, {over} over a limit")
    return over


async def serve() -> None:
    """The city, with the content service behind a port as it is served by default, until standard input ends."""
    share = Settings.model_fields["refusal_share"].default
    with stack_session() as shared, tempfile.TemporaryDirectory() as folder:
        async with (
            city(shared, Path(folder), refusal_share=share) as running,
            listening(running.apps["content"]) as port,
        ):
            village = await Village(running, "abused").settle()
            bad = [one.request(village) for one in WORST if one.request(village).service == "content"]
            good = village.request("member", "content", "GET", f"/threads/{village.ids['thread'][0]}")
            tokens = []
            for number in range(CLIENTS):
                await village.must(f"abuser {number}", "member", "POST", "/members")
                tokens += [value.decode() for _, value in village.bearer(f"abuser {number}")]
            settle_memory()
            raw = [_as_bytes(request).hex() for request in (good, *bad)]
            print(json.dumps({"port": port, "pid": os.getpid(), "requests": raw, "tokens": tokens}), flush=True)
            await asyncio.to_thread(sys.stdin.read)


def _as_bytes(request: Request) -> bytes:
    head = f"{request.method} {request.target} HTTP/1.1\r\nhost: guildhall\r\nconnection: close\r\n".encode()
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in request.headers)
    length = b"content-length: %d\r\n" % len(request.body) if request.body else b""
    return head + lines + length + b"\r\n" + request.body


def _by(token: str, raw: bytes) -> bytes:
    """The request with another caller's token; a backfill stays its owner's, whom alone it is permitted."""
    return raw if b"/backfill HTTP" in raw[:200] else _TOKEN.sub(b"authorization: " + token.encode(), raw, count=1)


async def _call(port: int, raw: bytes) -> tuple[int, float]:
    """The status, 0 for a connection that was cut, and the seconds it took."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        head = await reader.readline()
        while await reader.read(65_536):
            pass
        return int(head.split()[1]) if head else 0, time.perf_counter() - began
    except ConnectionError:
        return 0, time.perf_counter() - began
    finally:
        writer.close()


async def _good(port: int, raw: bytes, seconds: float) -> list[float]:
    took = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        status, latency = await _call(port, raw)
        assert status == 200, status
        took.append(latency)
        await asyncio.sleep(EVERY)
    return took


async def _bad(port: int, raws: list[bytes], token: str, number: int, interval: float, count: Counter[int]) -> None:
    await asyncio.sleep(interval * number / CLIENTS)
    while True:
        status, _ = await _call(port, _by(token, raws[count.total() % len(raws)]))
        count[status] += 1
        await asyncio.sleep(interval)


async def others(interval: float) -> None:
    """The abusive clients, told on standard input whom to ask for what, until that ends; what they were answered."""
    reader = asyncio.StreamReader(limit=2**27)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    given = json.loads(await reader.readline())
    raws = [bytes.fromhex(raw) for raw in given["requests"][1:]]
    count: Counter[int] = Counter()
    clients = [
        asyncio.create_task(_bad(given["port"], raws, token, number, interval, count))
        for number, token in enumerate(given["tokens"])
    ]
    print("begun", flush=True)
    await reader.read()
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    print(json.dumps(count), flush=True)


async def abuse(console: Console) -> None:
    """The good client's latencies alone, and beside a hundred others, which are a process of their own."""
    async with _beside("serve") as (server, _):
        line = await server.readline()
        given = json.loads(line)
        port, good = given["port"], bytes.fromhex(given["requests"][0])
        await _good(port, good, 1.0)
        alone = await _good(port, good, QUIET)
        console.print(f"a good client alone:                     {_shown(alone)}")
        for what, interval in (("each sends one a second", 1.0), ("each sends on and on", 0.0)):
            async with _beside("others", str(interval)) as (answers, told):
                told.write(line)
                await answers.readline()
                beside = await _good(port, good, ABUSED)
                told.close()
                count = {int(status): n for status, n in json.loads(await answers.readline()).items()}
            ratio = _p99(beside) / _p99(alone)
            console.print(f"beside {CLIENTS} that {what}: {_shown(beside)}, {ratio:.1f} times")
            shown = ", ".join(f"{status or 'cut'} {n}" for status, n in sorted(count.items()))
            console.print(f"  they sent {sum(count.values()) / ABUSED:.0f} a second; answers: {shown}")


@asynccontextmanager
async def _beside(
    *arguments: str, module: str = "tests.security"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Another process of this module's; it ends when its standard input does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=-1, stdout=-1, cwd=ROOT, limit=2**27
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout, process.stdin
    finally:
        process.stdin.close()
        await process.wait()


def _p99(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]


def _shown(took: list[float]) -> str:
    return f"p50 {sorted(took)[len(took) // 2] * 1000:.1f} ms, p99 {_p99(took) * 1000:.1f} ms of {len(took)} requests"


def main(arguments: list[str]) -> int:
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if arguments == ["serve"]:
        keep_freed_memory()  # as a service is started
        asyncio.run(serve())
        return 0
    if arguments[:1] == ["others"]:
        asyncio.run(others(float(arguments[1])))
        return 0
    console = Console(highlight=False)
    over = asyncio.run(costs(console))
    asyncio.run(abuse(console))
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
