"""`make revision`: the revision from a service's newest one to what its code declares, ready for `make check`.

Alembic compares on the PostgreSQL that the tests use, in a database made for it; what it writes is put in form here,
since only developers have the formatter.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.stack import stack_session

ROOT = Path(__file__).parents[1]


def tidy(files: Sequence[str]) -> int:
    """Format what was written and take out the imports that it does not need; 0 where nothing is left to mend."""
    ruff = [sys.executable, "-m", "ruff"]
    shared = ["--quiet", "--config", str(ROOT / "pyproject.toml"), *files]
    for step in (["check", "--fix", "--exit-zero"], ["format"]):  # lines are too long until they are formatted
        subprocess.run([*ruff, *step, *shared], check=False, stdout=subprocess.DEVNULL)
    return subprocess.run([*ruff, "check", *shared], check=False).returncode


def main(arguments: Sequence[str]) -> int:
    service, message = (*arguments, "", "")[:2]
    if not service or not message:
        print('For example: make revision SERVICE=content MESSAGE="threads have a language"', file=sys.stderr)
        return 2
    with stack_session() as stack:
        written = subprocess.run(
            [sys.executable, "-m", "deploy.cli", "revision", service, "--message", message],
            env={**os.environ, "GUILDHALL_DATABASE_URL": stack.postgres_dsn},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    print(written.stdout, end="")
    return written.returncode or tidy(written.stdout.splitlines())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
