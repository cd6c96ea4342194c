"""`make faults`: every scenario against the system it hurts, the figures as a table and in build/faults.json.

Names run those scenarios only; --long takes the goals' own figures instead of counts that fit into ten minutes;
--seed N repeats a run's choices; --list says what there is.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import sys
import time
from pathlib import Path

import msgspec
import structlog
from rich.console import Console
from rich.table import Table

from tests.faults.stage import Figure, Stage

SCENARIOS = {
    "gap-hunt": "gap_hunt",
    "stalled-writer": "stalled_writer",
    "silent-deaths": "silent_deaths",
    "poison": "poison",
    "many-faults": "many_faults",
    "kill-postgres": "kill_postgres",
    "kill-kafka": "kill_kafka",
    "topic-deleted": "topic_deleted",
    "restore-base-backup": "restore_base_backup",
    "two-leaders": "two_leaders",
    "relay-killed": "relay_killed",
    "relay-stuck-partition": "relay_stuck_partition",
    "rolling-restart": "rolling_restart",
    "disk-full": "disk_full",
}
RESULTS = Path(__file__).parents[2] / "build" / "faults.json"


def described() -> Table:
    shown = Table("scenario", "what it does", box=None)
    for name, module in SCENARIOS.items():
        doc = importlib.import_module(f"tests.faults.scenarios.{module}").__doc__ or ""
        shown.add_row(name, doc.splitlines()[0])
    return shown


def table(figures: list[Figure]) -> Table:
    shown = Table("goal", "what", "measured", "required", "done", "holds")
    for each in figures:
        mark = "yes" if each.holds else "[bold red]no[/]"
        shown.add_row(each.goal, each.what, each.measured, each.required, each.scale, mark)
    return shown


async def play(stage: Stage, names: list[str], console: Console) -> None:
    """One scenario after the other; one that breaks is a figure that falls short, and the others go on."""
    try:
        for name in names:
            stage.scenario = name
            began = time.monotonic()
            try:
                await importlib.import_module(f"tests.faults.scenarios.{SCENARIOS[name]}").run(stage)
            except Exception as error:
                console.print_exception()
                reason = f"{type(error).__name__}: {str(error)[:300]}"
                stage.figures.append(Figure("–", f"{name} came to its end", reason, "its figures", "", holds=False))
            stage.say(f"took {time.monotonic() - began:.0f} s")
    finally:
        await stage.close()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("make faults", description=__doc__, add_help=True)
    parser.add_argument("scenarios", nargs="*", help=", ".join(SCENARIOS))
    parser.add_argument("--long", action="store_true", help="the goals' own figures: hours instead of minutes")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    asked = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 200)
    if asked.list:
        console.print(described())
        return 0
    if unknown := sorted(set(asked.scenarios) - set(SCENARIOS)):
        parser.error(f"there is no scenario {', '.join(unknown)}; there are: {', '.join(SCENARIOS)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console.print(f"seed {asked.seed}")
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:5.0f} s[/dim]  {text}", highlight=False, soft_wrap=True)

    stage = Stage(long=asked.long, seed=asked.seed, say=say)
    asyncio.run(play(stage, asked.scenarios or list(SCENARIOS), console))
    console.print(table(stage.figures))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(stage.figures), indent=2) + b"\n")
    short = sum(not figure.holds for figure in stage.figures)
    console.print(f"{time.monotonic() - began:.0f} s; {short} of {len(stage.figures)} figures fall short; {RESULTS}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
