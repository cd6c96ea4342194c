"""`make bench`: every budget of the architecture beside its limit, as a table and in benchmarks/results.json."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import sys
from pathlib import Path

import msgspec
import structlog
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import Result, take_long
from tests.stack import stack_session

MEASUREMENTS = ("log", "post", "relay", "projection", "latency", "reads", "system", "tracing")
ASKED_FOR = ("growth",)
"""Those that take too long to be measured every time."""
RESULTS = Path(__file__).parent / "results.json"


def table(results: list[Result]) -> Table:
    shown = Table("what", "value", "limit", "unit", "ratio", "budget", "holds")
    for r in results:
        mark = {True: "yes", False: "[bold red]no[/]", None: ""}[r.holds]
        shown.add_row(
            r.name, f"{r.value:,.1f}", _shown(r.limit, 1), r.unit, _shown(r.ratio, 2), _shown(r.budget, 2), mark
        )
    return shown


def _shown(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:,.{decimals}f}"


def main(arguments: list[str]) -> None:
    names = [name for name in arguments if name != "--long"]
    every = (*MEASUREMENTS, *ASKED_FOR)
    if unknown := sorted(set(names) - set(every)):
        sys.exit(f"There is no measurement {', '.join(unknown)}. There are: {', '.join(every)}, and --long.")
    long = len(names) < len(arguments)
    if long:
        take_long()
    console = Console()
    results: list[Result] = []
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    # As a service's process does (shared/service/serve.py); what is measured against runs in the same process.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    with stack_session() as stack:
        for name in names or (every if long else MEASUREMENTS):
            console.print(f"measuring {name} …")
            results += asyncio.run(importlib.import_module(f"benchmarks.{name}").measure(stack))
    console.print(table(results))
    if not names:
        RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
