"""PostgreSQL refuses root: find the way to leave root that works on this machine, by trying."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from deploy.local import problems
from deploy.local.launch import other_user

LAUNCHER = Path(__file__).with_name("launch.py")
WAYS = ("namespace", "capability", "plain")


def launcher(*options: str) -> list[str]:
    """The command prefix that runs a command by launch.py; -I -S keeps it at 15 ms."""
    return [sys.executable, "-I", "-S", str(LAUNCHER), *options, "--"]


def give(folder: Path, uid: int, gid: int) -> None:
    """Hand a folder and all below it to another owner; nothing is touched when it is theirs already."""
    for path in (folder, *folder.rglob("*")):
        found = path.lstat()
        if (found.st_uid, found.st_gid) != (uid, gid):
            os.chown(path, uid, gid, follow_symlinks=False)


def way_for(folder: Path, program: Path) -> str:
    """The way to run `program` writing to `folder`, which is handed to the user it will run as."""
    if os.geteuid() != 0:
        return "none"
    reasons: list[str] = []
    for way in WAYS:
        try:
            give(folder, *((0, 0) if way == "namespace" else other_user()[2:4]))
        except (OSError, StopIteration) as error:
            reasons.append(f"{way}: {error}")
            continue
        tried = subprocess.run(  # noqa: S603
            [*launcher("--way", way, "--must-write", str(folder)), str(program), "--version"],
            capture_output=True,
            text=True,
            timeout=30,
        )
        if tried.returncode == 0:
            return way
        reasons.append(tried.stderr.strip() or f"{way}: exit status {tried.returncode}")
    raise problems.cannot_leave_root(reasons)
