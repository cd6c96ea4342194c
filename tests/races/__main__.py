"""`python -m tests.races`: each race many rounds long, and a table of what they broke."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from tests.races.ground import ground
from tests.races.races import RACES, rounds_of, run
from tests.stack import stack_session


async def table(console: Console, rounds: int, wanted: str) -> int:
    """Run the races and show what became of them; how many rounds broke a rule."""
    shown = Table("race", "rounds", "met", "endings", "seconds", "broken", "what")
    total = 0
    with stack_session() as shared, tempfile.TemporaryDirectory() as folder:
        async with ground(shared, Path(folder)) as here:
            for name, race in RACES.items():
                if wanted not in name:
                    continue
                began = time.monotonic()
                outcome = await run(race, here, rounds_of(name, rounds))
                broken = Counter(outcome.broken)
                total += broken.total()
                what = ", ".join(f"{times} × {words}" for words, times in broken.most_common(3))
                spent = time.monotonic() - began
                shown.add_row(
                    name,
                    str(outcome.rounds),
                    str(outcome.met),
                    str(len(outcome.endings)),
                    f"{spent:.0f}",
                    str(broken.total()),
                    what,
                )
    console.print(shown)
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.races", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000, help="rounds of each race")
    parser.add_argument("--race", default="", help="only races with this in their name")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sys.exit(1 if asyncio.run(table(Console(width=140), given.rounds, given.race)) else 0)
