"""`make simulate`: many seeds on all cores with a summary, or one seed with its whole trace.

python -m tests.simulation --seeds 20000      # from --start on
python -m tests.simulation --seed 1234
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, MutableMapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import get_context
from typing import Any, NoReturn

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.faults import KINDS
from tests.simulation.loop import PROCESS
from tests.simulation.seed import Outcome, quiet, run_seed

CHUNK = 10
LAST = 25
"""Lines of the trace that are shown of a seed that failed."""


def run_chunk(seeds: list[int]) -> list[Outcome]:
    quiet()
    outcomes = [run_seed(seed) for seed in seeds]
    for outcome in outcomes:
        outcome.last = outcome.last[-LAST:] if outcome.violation else []
    return outcomes


def report(outcome: Outcome) -> str:
    """A failed seed: what was violated, what came last, and how to see it again."""
    return "\n".join(
        [
            f"seed {outcome.seed}: {outcome.violation}",
            *(f"    {line}" for line in outcome.last),
            f"    replay it: make simulate SEED={outcome.seed}",
        ]
    )


def many(start: int, seeds: int, jobs: int) -> int:
    console = Console()
    chunks = ([*range(first, min(first + CHUNK, start + seeds))] for first in range(start, start + seeds, CHUNK))
    done, virtual, events, violations = 0, 0.0, 0, list[Outcome]()
    faults = Counter[str]()
    began = time.monotonic()
    columns = (
        TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]:.1f} seeds/s"),
        TextColumn("{task.fields[violations]} violations"), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=seeds, rate=0.0, violations=0)
        for outcome in _outcomes(chunks, jobs):
            done, virtual, events = done + 1, virtual + outcome.virtual, events + outcome.events
            faults.update(outcome.faults)
            if outcome.violation is not None:
                violations.append(outcome)
                progress.console.print(report(outcome), markup=False, highlight=False)
            rate = done / (time.monotonic() - began)
            progress.update(bar, completed=done, rate=rate, violations=len(violations))
    console.print(_summary(done, virtual, events, faults, time.monotonic() - began, violations))
    return 1 if violations else 0


def _outcomes(chunks: Iterator[list[int]], jobs: int) -> Iterator[Outcome]:
    """As they come; only as many chunks are under way as keep every process busy."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        waiting: set[Future[list[Outcome]]] = {pool.submit(run_chunk, chunk) for chunk in islice(chunks, jobs * 2)}
        while waiting:
            ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ready:
                waiting |= {pool.submit(run_chunk, chunk) for chunk in islice(chunks, 1)}
                yield from future.result()


def _summary(
    seeds: int, virtual: float, events: int, faults: Counter[str], seconds: float, violations: list[Outcome]
) -> Table:
    table = Table("what", "in all", "a seed", title=f"{seeds} seeds in {seconds:.0f} s, {seeds / seconds:.1f} seeds/s")
    for column in table.columns[1:]:
        column.justify = "right"
    for kind in KINDS:
        table.add_row(kind, f"{faults[kind]:,}", f"{faults[kind] / seeds:.2f}")
    table.add_section()
    table.add_row("faults", f"{faults.total():,}", f"{faults.total() / seeds:.1f}")
    table.add_row("events written", f"{events:,}", f"{events / seeds:.1f}")
    table.add_row("virtual seconds", f"{virtual:,.0f}", f"{virtual / seeds:.1f}")
    table.add_section()
    table.add_row("violations", str(len(violations)), " ".join(str(each.seed) for each in violations[:8]))
    return table


def one(seed: int) -> int:
    """Replay one seed, with the kernel's own log between the lines of the trace."""

    def tell(_: object, __: str, entry: MutableMapping[str, Any]) -> NoReturn:
        process = PROCESS.get()
        error = entry.pop("exc_info", None)
        words = " ".join(f"{name}={value}" for name, value in entry.items() if name != "event")
        print(f"{'':11}{process.name if process else 'outside'}: {entry['event']} {words} {error or ''}".rstrip())
        raise structlog.DropEvent

    structlog.configure(processors=[tell])
    outcome = run_seed(seed, print)
    kinds = ", ".join(f"{count} {kind}" for kind, count in outcome.faults.most_common())
    print(f"\nseed {seed}: {outcome.virtual:.1f} virtual seconds, {outcome.events} events, faults: {kinds}")
    print(f"trace {outcome.trace}")
    print("violation: " + outcome.violation if outcome.violation else "every property holds")
    return 1 if outcome.violation else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one with its whole trace")
    parser.add_argument("--seeds", type=int, default=1_000, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes")
    given = parser.parse_args(arguments)
    return one(given.seed) if given.seed is not None else many(given.start, given.seeds, given.jobs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
