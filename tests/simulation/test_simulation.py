"""Seeds hold every property, a seed is one schedule, and every planted bug is caught.

All of it runs in processes of its own: time, chance and the clients of Kafka are replaced in them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import mutants

SEEDS = 200
ROOT = Path(__file__).parents[2]
TRACES = "from tests.simulation.seed import quiet, run_seed; quiet(); print(*[run_seed(n).trace for n in (7, 8, 7)])"


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, which is not measured."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("servers")
def test_seeds_hold_every_property() -> None:
    done = python("-m", "tests.simulation", "--seeds", str(SEEDS), "--jobs", "1")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{SEEDS} seeds" in done.stdout


@pytest.mark.parametrize("seed", [2152, 4497])
@pytest.mark.usefixtures("servers")
def test_a_seed_that_once_broke_a_property_holds(seed: int) -> None:
    """Those that are too rare for the first seeds to meet."""
    done = python("-m", "tests.simulation", "--seed", str(seed))

    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.usefixtures("servers")
def test_a_seed_is_one_schedule_whatever_else_was_run_before_and_whatever_hashes_are() -> None:
    one, other = (python("-c", TRACES, PYTHONHASHSEED=seed).stdout.split() for seed in ("1", "2"))

    assert one == other
    assert one[0] == one[2] != one[1]


@pytest.fixture(scope="module")
def hunted(servers: None) -> Mapping[str, Mapping[str, Any]]:
    done = python("-m", "tests.simulation.mutants", "--quick")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(mutants.bugs()), done.stdout + done.stderr
    return {each["bug"]: each for each in found}


@pytest.mark.parametrize("bug", [path.stem for path in mutants.bugs()])
def test_a_planted_bug_is_caught(hunted: Mapping[str, Mapping[str, Any]], bug: str) -> None:
    assert hunted[bug]["seed"] is not None, hunted[bug]["about"]


@pytest.mark.usefixtures("servers")
def test_a_planted_bug_that_no_longer_applies_is_said_so(tmp_path: Path) -> None:
    stale = tmp_path / "stale.patch"
    stale.write_text("It breaks nothing.\n--- a/shared/lease.py\n+++ b/shared/lease.py\n@@ -1,1 +1,1 @@\n-gone\n+new\n")
    folder = tmp_path / "copy"
    folder.mkdir()

    with pytest.raises(mutants.StalePatch, match=r"stale\.patch does not apply"):
        mutants.plant(stale, folder)
