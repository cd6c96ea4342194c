"""The log of a process, from its end, and on as it grows."""

from __future__ import annotations

import contextlib
import sys
import time

from deploy.local.component import tail
from deploy.local.home import Home
from deploy.local.problems import LocalError


def show(home: Home, name: str, lines: int, *, follow: bool = False) -> None:
    """Print the last lines; with `follow` go on until interrupted, also when the file begins anew."""
    path = home.log(name)
    if not path.exists():
        present = sorted(file.stem for file in home.logs.glob("*.log"))
        raise LocalError(
            f"There is no log of {name} in {home.logs}.",
            f"Logs are there of: {', '.join(present)}." if present else "Nothing has run in this state folder yet.",
            "Name one of these, or give the right folder with --home DIR.",
        )
    for line in tail(path, lines) if lines else []:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
    if not follow:
        return
    with contextlib.suppress(KeyboardInterrupt):
        position = path.stat().st_size
        while True:
            time.sleep(0.2)
            size = path.stat().st_size if path.exists() else 0
            if size < position:
                position = 0
            if size > position:
                with path.open("rb") as file:
                    file.seek(position)
                    fresh = file.read(size - position)
                position += len(fresh)
                sys.stdout.write(fresh.decode(errors="replace"))
                sys.stdout.flush()
