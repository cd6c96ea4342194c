"""`make test`: every test on both cores, then how much of the kernel they reach; it is held to nearly all.

Arguments go to pytest; a narrowed run shows its coverage and is not held to it. `make coverage` measures all tests.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from coverage import Coverage, CoverageData
from coverage.exceptions import CoverageException, NoDataError

from tests import lanes

ROOT = Path(__file__).parents[1]
BY_CHANCE = 3
"""At most so many failures of a whole run are looked at again; more are no chance."""
FAILED = int(pytest.ExitCode.TESTS_FAILED)
LOOKS = 3
"""How often each of them must pass by itself."""
KERNEL_COVERAGE = 95.0
"""Per cent of the lines and branches of shared/ that the tests reach which are measured (tests/lanes.py)."""


def main(arguments: list[str]) -> int:
    # One process per core; the tests of a file stay together, so that what it sets up is set up once. The files come
    # in the order of tests/lanes.py: xdist's own, by their number of tests, goes from folder to folder and back, and
    # each time starts anew what a folder has for all of its files.
    workers = os.environ.get("GUILDHALL_TEST_WORKERS", "2")
    command = [
        "pytest",
        "-n",
        workers,
        "--dist",
        "loadscope",
        "--no-loadscope-reorder",
        "-q",
        "--cache-clear",
        *arguments,
    ]
    failed = subprocess.run([sys.executable, "-m", "coverage", "run", "-m", *command], cwd=ROOT, check=False).returncode
    if failed == FAILED and not arguments and holds_by_itself(failures(ROOT), ROOT):
        failed = 0
    try:
        covered = gathered(ROOT.glob(".coverage.*"), ROOT / ".coverage")
        if lanes.EVERYTHING in os.environ:
            print("\nCoverage of the services:", flush=True)
            covered.report(include=["services/*", "deploy/*"], output_format="total")
        print("\nCoverage of the kernel:", flush=True)
        kernel = covered.report(include=["shared/*"], skip_covered=True)
    except NoDataError as nothing:  # a narrowed run may reach no line of ours
        print(nothing)
        return failed or int(not arguments)
    if arguments or kernel >= KERNEL_COVERAGE:
        return failed
    print(f"The tests reach {kernel:.1f} % of the kernel, and {KERNEL_COVERAGE:g} % are asked for.")
    return failed or 1


def failures(root: Path) -> list[str]:
    """The ids of the tests that failed in the last run there; parts of a file that could not be read among them."""
    kept = root / ".pytest_cache" / "v" / "cache" / "lastfailed"
    return sorted(json.loads(kept.read_text())) if kept.exists() else []


def holds_by_itself(failed: list[str], root: Path) -> bool:
    """Whether these few tests pass, each time of `LOOKS`, with nothing beside them; says by name what failed by chance.

    A run of thousands of tests on a machine that others use meets a moment now and then that no bound foresaw
    (docs/adr/0068). What is broken fails here again.
    """
    if not 0 < len(failed) <= BY_CHANCE:
        return False
    print(f"\nWhat failed is run {LOOKS} times by itself:", *failed, sep="\n  ", flush=True)
    again = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *failed]
    for _ in range(LOOKS):
        if subprocess.run(again, cwd=root, check=False).returncode:
            return False
    print("\nFAILED BY CHANCE, to be looked into:", *failed, sep="\n  ", flush=True)
    return True


def gathered(parts: Iterable[Path], total: Path) -> Coverage:
    """What all processes measured, put together in `total`; the parts are deleted.

    Whoever is killed while it writes leaves half of what it measured. coverage reads only the head of such a file
    before it adds it, and stops at what is broken behind that; so each is read whole first.
    """
    whole = []
    for part in parts:
        if is_whole(part):
            whole.append(str(part))
        else:
            part.unlink(missing_ok=True)
            print(f"coverage: {part.name} was left half written by a process that was killed; it does not count")
    covered = Coverage(data_file=str(total))
    covered.combine(whole, strict=True)
    covered.save()
    return covered


def is_whole(part: Path) -> bool:
    """Whether everything in the file can be read."""
    try:
        CoverageData(no_disk=True).update(CoverageData(str(part), read_only=True))
    except (CoverageException, sqlite3.Error, OSError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
