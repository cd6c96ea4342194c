"""What has been published is what git remembers: every committed version of a schema binds the ones after it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from deploy.contracts.compatibility import breaks


def git(root: Path, *arguments: str) -> str | None:
    """What git prints, or None where there is no git or no such thing."""
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            ["git", "-C", str(root), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def broken_promises(root: Path, schemas: dict[str, dict[str, Any]]) -> list[str]:
    """How today's schemas (by path below `root`) break what was committed under the same path or removed since."""
    listing = git(root, "log", "--format=commit %H", "--name-status", "--no-renames", "--", "contracts/events")
    found: list[str] = []
    commit = ""
    for line in (listing or "").splitlines():
        if line.startswith("commit "):
            commit = line.removeprefix("commit ")
            continue
        status, _, path = line.partition("\t")
        if not path.endswith(".schema.json"):
            continue
        if status == "D" or path not in schemas:
            if path not in schemas:
                found.append(
                    f"{path}: the event was removed; keep its class, with an upcast, so that it can be replayed"
                )
            continue
        before = git(root, "show", f"{commit}:{path}")
        if before is not None:
            found += [f"{path}: {problem}" for problem in breaks(json.loads(before), schemas[path])]
    return sorted(set(found))
