"""`make bench`: every budget of the architecture beside its limit, as a table and in benchmarks/results.json."""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import Result
from tests.stack import stack_session

MEASUREMENTS = ("log",)
RESULTS = Path(__file__).parent / "results.json"


def table(results: list[Result]) -> Table:
    shown = Table("what", "value", "limit", "unit", "ratio", "budget", "holds")
    for r in results:
        mark = "yes" if r.holds else "[bold red]no[/]"
        shown.add_row(r.name, f"{r.value:,.1f}", f"{r.limit:,.1f}", r.unit, f"{r.ratio:.2f}", f"{r.budget:.2f}", mark)
    return shown


def main(names: list[str]) -> None:
    console = Console()
    results: list[Result] = []
    gc.freeze()
    with stack_session() as stack:
        for name in names or MEASUREMENTS:
            console.print(f"measuring {name} …")
            results += asyncio.run(importlib.import_module(f"benchmarks.{name}").measure(stack))
    console.print(table(results))
    if not names:
        RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
