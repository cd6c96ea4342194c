"""`python -m tests.security.endless --seconds 300`: a hundred who send the worst of slow and endless things at once.

Half of them go to a service, half through the gateway; what each process has grown by, and what a good client waits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from itertools import cycle
from pathlib import Path

from tests.security.__main__ import CLIENTS, _beside, _good, _p99, _shown
from tests.shared.live import gateway_to

MOST_GROWN = 50_000_000
PATHS: dict[str, list[str]] = {
    "/v1/communities/{community}/threads": [],
    "/v1/communities/{community}/threads/{thread}": [],
    "/v1/communities/{community}/content/backfill": ["POST"],
}
Move = tuple[bytes, bytes, float]
"""What is sent first, what on and on after it, and the seconds between."""


def moves(community: bytes, token: bytes, owner: bytes) -> list[Move]:
    """The worst of each kind that is known."""

    def head(method: bytes, path: bytes, framing: bytes, by: bytes, kind: bytes = b"application/json") -> bytes:
        lines = [method + b" " + community + path + b" HTTP/1.1", b"host: g", b"content-type: " + kind, framing]
        return b"\r\n".join([*lines, *([b"authorization: " + by] if by else [])]) + b"\r\n\r\n"

    chunked, length, ndjson = b"transfer-encoding: chunked", b"content-length: 999999", b"application/x-ndjson"
    full = b"ffff\r\n" + b" " * 0xFFFF + b"\r\n"
    bomb = b"[" + b"{}," * 60_000 + b"{}]\n"
    lines = b"%x\r\n" % len(bomb) + bomb + b"\r\n"
    return [
        (b"", b"", 1.0),
        (b"GET / HTTP/1.1\r\nhost: g\r\nx: ", b"a", 2.0),
        (head(b"POST", b"/threads", length, token) + b" " * 900_000, b" ", 2.0),
        (head(b"POST", b"/threads", chunked, token), b"1\r\n \r\n", 2.0),
        (head(b"POST", b"/threads", chunked, token), full, 0.0),
        (head(b"POST", b"/threads", chunked, b""), full, 0.0),
        (head(b"PATCH", b"/threads/backfill", chunked, b""), full, 0.0),
        (head(b"PATCH", b"/threads/backfill", chunked, token), full, 0.0),
        (head(b"GET", b"/threads", chunked, token), full, 0.0),
        (head(b"POST", b"/threads", chunked, token) + b"zz\r\n", b"zz\r\n", 0.1),
        (head(b"POST", b"/content/backfill", chunked, b"", ndjson), full, 0.0),
        (head(b"POST", b"/content/backfill", chunked, owner, ndjson), b"1\r\n{\r\n", 2.0),
        (head(b"POST", b"/content/backfill", chunked, owner, ndjson), lines, 0.2),
        (head(b"GET", b"/threads?limit=200", b"x: y", token) * 20, b"", 1.0),  # answers that nobody takes
    ]


async def attack(port: int, move: Move, count: Counter[str]) -> None:
    first, more, every = move
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(first)
        async with asyncio.timeout(130):
            while not reader.at_eof() and not writer.transport.is_closing():
                if more:
                    writer.write(more)
                    await writer.drain()
                await asyncio.sleep(every)
        count["cut"] += 1
    except TimeoutError:
        count["held for 130 s"] += 1
    except ConnectionError:
        count["cut"] += 1
    finally:
        writer.transport.abort()


async def others() -> None:
    """The attackers, told on standard input whom to attack, until that ends."""
    source = asyncio.StreamReader(limit=2**27)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(source), sys.stdin)
    given = json.loads(await source.readline())
    count: Counter[str] = Counter()

    async def one(number: int) -> None:
        kinds = moves(given["community"].encode(), given["tokens"][number].encode(), given["owner"].encode())
        turn = cycle(kinds[number % len(kinds) :] + kinds[: number % len(kinds)])
        await asyncio.sleep(number / CLIENTS)
        while True:
            with suppress(OSError):
                await attack(given["ports"][number % 2], next(turn), count)
            await asyncio.sleep(0.5)

    tasks = [asyncio.create_task(one(number)) for number in range(CLIENTS)]
    print("begun", flush=True)
    await source.read()
    for task in tasks:
        task.cancel()
    print(json.dumps(count), flush=True)


def resident(process: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()


def gateway() -> int:
    """The process of the gateway that this one has started."""
    children = [int(pid) for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()]
    return next(pid for pid in children if "caddy" in Path(f"/proc/{pid}/comm").read_text())


async def run(seconds: float) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with _beside("serve") as (server, _):
            given = json.loads(await server.readline())
            raws = [bytes.fromhex(raw) for raw in given["requests"]]
            good = raws[0]
            backfill = next(raw for raw in raws if b"/backfill HTTP" in raw[:200])
            (owner,) = re.findall(rb"authorization: ([^\r]+)", backfill)
            found = re.match(rb"GET (/v1/communities/[^/]+)", good)
            assert found is not None
            async with gateway_to(given["port"], PATHS, Path(folder)) as own:
                named = {"service": int(given["pid"]), "gateway": gateway()}
                target = {"ports": [given["port"], own], "tokens": given["tokens"]}
                target |= {"owner": owner.decode(), "community": found[1].decode()}
                await _good(own, good, 3.0)
                alone = await _good(own, good, max(5.0, seconds / 10))
                before = {name: resident(process) for name, process in named.items()}
                most = dict(before)
                async with _beside("--others", module="tests.security.endless") as (answers, told):
                    told.write(json.dumps(target).encode() + b"\n")
                    await answers.readline()
                    beside: list[float] = []
                    for _ in range(max(1, int(seconds / 5))):
                        beside += await _good(own, good, 5.0)
                        for name, process in named.items():
                            most[name] = max(most[name], resident(process))
                    told.close()
                    count = json.loads(await answers.readline())
    grown = {name: most[name] - before[name] for name in named}
    print(f"alone:  {_shown(alone)}\nbeside: {_shown(beside)}, p99 {_p99(beside) / _p99(alone):.1f} times")
    print(f"connections of {CLIENTS} attackers in {seconds:.0f} s: {count}")
    for name, size in grown.items():
        print(f"{name}: {before[name] / 1e6:.0f} MB, at most {size / 1e6:.0f} MB more")
    return int(max(grown.values()) > MOST_GROWN or "held for 130 s" in count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--others", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sys.exit(asyncio.run(others() if arguments.others else run(arguments.seconds)))
