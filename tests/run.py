"""`make test`: every test on both cores, then what they covered; the kernel is held to nearly all of it.

Arguments go to pytest; a narrowed run shows its coverage and is not held to it.
"""

from __future__ import annotations

import os
import subprocess
import sys

KERNEL_COVERAGE = 95
"""Per cent of the lines and branches of shared/ that the tests reach."""


def run(*command: str) -> int:
    return subprocess.run([sys.executable, "-m", *command], check=False).returncode


def main(arguments: list[str]) -> int:
    # One process per core; the files of a folder stay together, so that what a module sets up is set up once.
    workers = os.environ.get("GUILDHALL_TEST_WORKERS", "2")
    failed = run("coverage", "run", "-m", "pytest", "-n", workers, "--dist", "loadscope", "-q", *arguments)
    run("coverage", "combine", "--quiet")
    bar = [] if arguments else [f"--fail-under={KERNEL_COVERAGE}"]
    print("\nCoverage of the services:", flush=True)
    run("coverage", "report", "--include=services/*,deploy/*", "--format=total")
    print("Coverage of the kernel:", flush=True)
    short = run("coverage", "report", "--include=shared/*", "--skip-covered", *bar)
    return failed or short


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
