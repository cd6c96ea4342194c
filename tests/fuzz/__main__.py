"""`make fuzz`: many requests against every service, on as many processes as there are cores, each with its own city.

Of the requests 92 in a hundred come from the generator, 4 from schemathesis, 2 from its state machines, 2 from the rule
machine: those three think longer about each. `--episode` runs one again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.city.city import city
from tests.fuzz import machine, schemas
from tests.fuzz.campaign import Campaign, run
from tests.fuzz.tally import Tally
from tests.stack import ROOT, Stack, stack, stack_session

SHARES = {"generated": 0.92, "schemathesis": 0.04, "sequences": 0.02, "rules": 0.02}
PIECE = 400
"""Requests of an episode of a source other than the generator."""
EVERY = 0.5
"""Seconds between two reports of a worker."""
APART = 1_000_000
"""Between the numbers of two workers' episodes."""


def main(arguments: list[str]) -> int:
    given = _arguments(arguments)
    if given.worker is not None:
        return asyncio.run(_work(given))
    console = Console(highlight=False)
    what = f"episode {given.episode}" if given.episode else f"{given.requests:,} requests, {given.workers} processes"
    console.print(f"seed {given.seed}, {what}")
    began = time.monotonic()
    with (
        stack_session({"fsync": "off", "max_connections": "400"}),
        Progress(
            TextColumn("fuzz"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
        ) as progress,
    ):
        bar = progress.add_task("requests", total=None if given.episode else given.requests)
        tallies = list(_workers(given, lambda done: progress.update(bar, completed=done)))
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return _report(console, given, whole, len(tallies), time.monotonic() - began)


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", default="", help="any word; a new one if left out")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--episode", default="", help="run this one only, as a finding names it")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    given.seed = given.seed or secrets.token_hex(3)
    if given.episode:
        given.workers = 1
    return given


def _workers(given: argparse.Namespace, report: object) -> Iterator[Tally]:
    """Run the workers; what each came to."""
    assert callable(report)
    shared: Stack = stack()
    environment = {**os.environ, "GUILDHALL_TEST_POSTGRES": shared.postgres_dsn, "GUILDHALL_TEST_KAFKA": shared.kafka}
    done = [0] * given.workers
    last: list[str] = [""] * given.workers

    def follow(number: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                last[number] = line
            elif line.strip().isdecimal():
                done[number] = int(line)
                report(sum(done))
            else:
                sys.stderr.write(line)

    processes = []
    for number in range(given.workers):
        command = [sys.executable, "-m", "tests.fuzz", "--worker", str(number), "--seed", given.seed]
        command += ["--requests", str(given.requests // given.workers), "--episode", given.episode]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT))
    threads = [threading.Thread(target=follow, args=pair) for pair in enumerate(processes)]
    for thread in threads:
        thread.start()
    for process, thread in zip(processes, threads, strict=True):
        thread.join()
        process.wait()
    yield from (Tally.of_json(json.loads(line)) for line in last if line)


async def _work(given: argparse.Namespace) -> int:
    """One worker: a city of its own, its part of every source, and at the end its tally as a line of JSON."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with stack_session() as shared, tempfile.TemporaryDirectory() as folder:
        async with city(shared, Path(folder)) as running:
            campaign = Campaign(running, given.seed)
            telling = asyncio.create_task(_tell(campaign))
            await _sources(campaign, given)
            telling.cancel()
            print(json.dumps(campaign.tally.as_json()), flush=True)
    return 0


async def _tell(campaign: Campaign) -> None:
    while True:
        await asyncio.sleep(EVERY)
        print(campaign.tally.total, flush=True)


async def _sources(campaign: Campaign, given: argparse.Namespace) -> None:
    first = given.worker * APART
    if given.episode:
        source, _, number = given.episode.partition("/")
        if source == "generated":
            await campaign.generated(int(number))
        else:
            await _SLOW[source](campaign, int(number), PIECE)
        return
    wanted = {source: int(given.requests * share) for source, share in SHARES.items()}
    wanted["generated"] = given.requests - sum(count for source, count in wanted.items() if source != "generated")
    await asyncio.gather(run(campaign, wanted["generated"], first), _slowly(campaign, wanted, first))


_SLOW = {"schemathesis": schemas.cases, "sequences": schemas.sequences, "rules": machine.rules}


async def _slowly(campaign: Campaign, wanted: dict[str, int], first: int) -> None:
    """The sources that use hypothesis, in a thread beside the loop: one at a time, since Python's own parser of source
    code, which hypothesis asks, does not bear two threads (CPython 3.11: "AST constructor recursion depth mismatch").
    """
    for source, begin in _SLOW.items():
        for number in range(first, first + -(-wanted[source] // PIECE)):
            try:
                await begin(campaign, number, min(PIECE, wanted[source]))
            except Exception as error:  # of the harness: to be seen, and no reason to lose what was found
                traceback.print_exc()
                campaign.tally.found(f"the harness failed: {error!r}"[:1_500], f"{source}/{number}")


def _report(console: Console, given: argparse.Namespace, tally: Tally, finished: int, seconds: float) -> int:
    classes = {f"{digit}xx": sum(n for s, n in tally.statuses.items() if s // 100 == digit) for digit in range(1, 6)}
    console.print(f"\n{tally.total:,} requests in {seconds:.0f} s, {tally.total / seconds:.0f} a second")
    console.print("by service   ", ", ".join(f"{name} {count:,}" for name, count in tally.requests.most_common()))
    console.print("by source    ", ", ".join(f"{name} {count:,}" for name, count in tally.sources.most_common()))
    console.print("by status    ", ", ".join(f"{name} {count:,}" for name, count in classes.items() if count))
    console.print("             ", ", ".join(f"{status} {count:,}" for status, count in sorted(tally.statuses.items())))
    console.print(f"operations    {len(tally.succeeded)} succeeded at least once")
    console.print(f"repeated      {tally.repeated:,} asked to be repeated")
    console.print(f"event loop    {tally.stalls} stalls over 200 ms, longest turn {tally.longest_turn * 1000:.0f} ms")
    for where in tally.stalled[:20]:
        console.print(f"              {where}", markup=False)
    console.print(f"violations    {tally.violations:,}")
    for finding in {finding.problem[:100]: finding for finding in tally.findings}.values():
        console.print(f"\n✗ {finding.problem}", markup=False)
        console.print(f"  {finding.curl}\n  → {finding.status} {finding.answer}", markup=False, soft_wrap=True)
        console.print(f"  make fuzz SEED={given.seed} EPISODE={finding.episode}", markup=False)
    if finished < given.workers:
        console.print(f"\n{given.workers - finished} of {given.workers} processes ended early; see above.")
    return 1 if tally.violations or tally.stalls or finished < given.workers else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
