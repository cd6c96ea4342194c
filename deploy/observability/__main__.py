"""`python -m deploy.observability write` renews dashboard.json and the run book; `check` fails where they differ."""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.observability.documents import documents

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    if arguments not in (["write"], ["check"]):
        print(__doc__, file=sys.stderr)
        return 2
    wanted = documents(ROOT)
    stale = [path for path, text in wanted.items() if not (ROOT / path).is_file() or (ROOT / path).read_text() != text]
    if arguments == ["write"]:
        for path in stale:
            (ROOT / path).write_text(wanted[path])
        print(*stale or ["dashboard and run book are as the code says"], sep="\n")
        return 0
    if stale:
        print("These are not what the code says; run `make observability`:", *stale, sep="\n  ", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
