"""`python -m tests.security.endless --seconds 300`: a hundred who send the worst of slow and endless things at once.

Half of them go to a service, half through the gateway; what each process has grown by, and what a good client waits.
`--only WORD` plays the moves with that word in their name alone, `--but WORD` all others.
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
from pathlib import Path

from tests.security.__main__ import CLIENTS, _beside, _good, _p99, _shown
from tests.security.moves import Move, moves
from tests.shared.live import gateway_to

MOST_GROWN = 50_000_000
LONGEST_HELD = 130
"""Seconds after which no connection stands that does what none should."""
PATHS: dict[str, list[str]] = {
    "/v1/communities/{community}/threads": [],
    "/v1/communities/{community}/threads/{thread}": [],
    "/v1/communities/{community}/content/backfill": ["POST"],
}


async def attack(port: int, move: Move) -> str:
    """Play it until the connection is at its end; how it ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(_read(reader)) if move.reads else None
    try:
        writer.write(move.first)
        async with asyncio.timeout(LONGEST_HELD):
            while not (reader.at_eof() or writer.transport.is_closing() or (reading and reading.done())):
                if move.more:
                    writer.write(move.more)
                    await writer.drain()
                await asyncio.sleep(move.every)
        return "cut"
    except TimeoutError:
        return f"held for {LONGEST_HELD} s"
    except ConnectionError:
        return "cut"
    finally:
        if reading is not None:
            reading.cancel()
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        while await reader.read(65_536):
            pass


async def others(only: str, but: str) -> None:
    """The attackers, told on standard input whom to attack, until that ends."""
    source = asyncio.StreamReader(limit=2**27)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(source), sys.stdin)
    given = json.loads(await source.readline())
    count: Counter[str] = Counter()

    async def one(number: int) -> None:
        kinds = moves(given["community"].encode(), given["tokens"][number].encode(), given["owner"].encode())
        kinds = [move for move in kinds if only in move.name and not (but and but in move.name)]
        await asyncio.sleep(number / CLIENTS)
        turn = number // 2
        while True:
            move = kinds[turn % len(kinds)]
            with suppress(OSError):
                count[f"{move.name}: {await attack(given['ports'][number % 2], move)}"] += 1
            await asyncio.sleep(0.5)
            turn += 1

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


async def run(seconds: float, only: str, but: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with _beside("serve") as (server, _):
            given = json.loads(await server.readline())
            raws = [bytes.fromhex(raw) for raw in given["requests"]]
            good = raws[0]
            backfill = next(raw for raw in raws if b"/backfill HTTP" in raw[:200])
            (owner,) = re.findall(rb"authorization: ([^\r]+)", backfill)
            found = re.match(rb"GET (/v1/communities/[^/]+)", good)
            assert found is not None
            async with gateway_to(given["port"], PATHS, Path(folder), ready="/livez") as own:
                named = {"service": int(given["pid"]), "gateway": gateway()}
                target = {"ports": [given["port"], own], "tokens": given["tokens"]}
                target |= {"owner": owner.decode(), "community": found[1].decode()}
                await _good(own, good, 3.0)
                alone = await _good(own, good, max(5.0, seconds / 10))
                before = {name: resident(process) for name, process in named.items()}
                most = dict(before)
                chosen = ("--only", only, "--but", but)
                async with _beside("--others", *chosen, module="tests.security.endless") as (answers, told):
                    told.write(json.dumps(target).encode() + b"\n")
                    await answers.readline()
                    beside: list[float] = []
                    for _ in range(max(1, int(seconds))):
                        beside += await _good(own, good, 1.0)
                        for name, process in named.items():
                            most[name] = max(most[name], resident(process))
                    told.close()
                    count = json.loads(await answers.readline())
    grown = {name: most[name] - before[name] for name in named}
    held = {ending: times for ending, times in count.items() if "held" in ending}
    print(f"alone:  {_shown(alone)}\nbeside: {_shown(beside)}, p99 {_p99(beside) / _p99(alone):.1f} times")
    print(
        f"{sum(count.values())} connections of {CLIENTS} attackers were cut in {seconds:.0f} s; {held or 'none held'}"
    )
    for name, size in grown.items():
        print(f"{name}: {before[name] / 1e6:.0f} MB, at most {size / 1e6:.0f} MB more")
    return int(max(grown.values()) > MOST_GROWN or bool(held))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--but", default="", metavar="WORD")
    parser.add_argument("--others", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    play = others(given.only, given.but) if given.others else run(given.seconds, given.only, given.but)
    sys.exit(asyncio.run(play))
