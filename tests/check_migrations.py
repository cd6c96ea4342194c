"""`alembic check` for every service, on the same PostgreSQL that the tests use."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.stack import stack_session


def main() -> int:
    with stack_session() as stack:
        environment = {**os.environ, "GUILDHALL_DATABASE_URL": stack.postgres_dsn}
        return subprocess.run(
            [sys.executable, "-m", "deploy.cli", "check-migrations"], env=environment, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
