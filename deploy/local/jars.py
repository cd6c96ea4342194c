"""The broker's jars are what the lock file says, byte for byte, wherever they were fetched from; fetched once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.local import problems
from deploy.local.ownership import refuse_exchangeable

LOCK = Path(__file__).with_name("kafka.lock.toml")
# Kafka logs through slf4j; the binding is resolved raw (!) so that log4j's own dependency management
# does not decide Kafka's versions.
COORDINATES = ("org.apache.kafka:kafka_2.13:4.4.0", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5!")


@dataclass(frozen=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.group}.{self.artifact}-{self.version}.jar"


def locked() -> list[Jar]:
    found = tomllib.loads(LOCK.read_text())["dependencies"]
    return [Jar(row["groupId"], row["artifactId"], row["version"], row["sha256"]) for row in found]


def cache(fallback: Path) -> Path:
    """A folder per user and lock file, so that several systems and the tests share one download."""
    name = f"kafka-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    chosen = os.environ.get("GUILDHALL_CACHE") or os.environ.get("XDG_CACHE_HOME")
    base = Path(chosen) if chosen else Path.home() / ".cache"
    # Behind its links from the start: who may exchange one of them would else choose what is run.
    for folder in (base.resolve() / "guildhall" / name, fallback.resolve() / "cache" / name):
        with contextlib.suppress(OSError):
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_dir() and _trusted(folder) and (os.access(folder, os.W_OK) or (folder / "complete").exists()):
            return folder
    raise problems.LocalError(
        f"Neither {base} nor {fallback} can be written.",
        "The broker's jars must be kept somewhere.",
        "Set GUILDHALL_CACHE or --home to a folder you may write to.",
    )


def _trusted(folder: Path) -> bool:
    """Whether only we and root can have filled it: what lies there is run."""
    try:
        refuse_exchangeable(folder.parent)
    except problems.LocalError:
        return False
    for each in (folder, folder.parent):
        found = each.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), 0):
            return False
        if found.st_mode & 0o022 and found.st_uid == os.geteuid():  # others could write until now: look at all again
            each.chmod(0o700)
            (folder / "complete").unlink(missing_ok=True)
        elif found.st_mode & 0o022:
            return False
    return True


def fetch(folder: Path, said: Callable[[int, int], None] = lambda done, total: None) -> list[Path]:
    """All jars of the lock in `folder`, downloading what is missing; `said(done, total)` after each."""
    jars = locked()
    paths = [folder / jar.file for jar in jars]
    if (folder / "complete").exists() and all(path.exists() for path in paths):
        return paths
    missing = [jar for jar in jars if not _is(folder / jar.file, jar.sha256)]
    done = len(jars) - len(missing)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch, ThreadPoolExecutor(8) as pool:
        try:
            for _ in pool.map(lambda jar: _download(jar, Path(scratch), folder), missing):
                done += 1
                said(done, len(jars))
        except problems.LocalError:
            pool.shutdown(cancel_futures=True)
            raise
    (folder / "complete").touch()
    return paths


def _is(path: Path, sha256: str) -> bool:
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _download(jar: Jar, scratch: Path, folder: Path) -> None:
    """By jgo's resolver into a scratch repository; only a file with the right sum is moved into place."""
    from jgo.config import GlobalSettings  # here, because it costs 0.3 s that later starts do not owe
    from jgo.maven import MavenContext, PythonResolver

    try:
        context = MavenContext(PythonResolver(), repo_cache=scratch, timeout=30)
        context.remote_repos.update(GlobalSettings.load().repositories)
        got = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except OSError as error:  # requests' errors are OSErrors too
        if getattr(error, "errno", None):
            raise problems.from_os_error(error, folder) from error
        raise problems.jars_unavailable(f"{jar.file}: {type(error).__name__}", folder) from error
    except RuntimeError as error:
        raise problems.jars_unavailable(f"{jar.file} was not found", folder) from error
    if not _is(got, jar.sha256):
        raise problems.LocalError(
            f"{jar.file} does not have the sha256 sum of the lock file.",
            "Either the download broke off or the source holds something else than what was checked.",
            "Run guildhall up again; if it stays, do not trust that source (see [repositories] in jgo's settings).",
        )
    os.replace(got, folder / jar.file)  # the scratch folder lies in the same one


def lock() -> None:
    """Resolve the coordinates anew and write the lock file; for the one who upgrades the broker."""
    from jgo.env._lockfile import LockFile
    from jgo.maven import MavenContext, PythonResolver
    from jgo.parse import Coordinate

    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(PythonResolver(), repo_cache=Path(scratch), timeout=30)
        wanted = [context.create_dependency(Coordinate.parse(text)) for text in COORDINATES]
        given, more = context.resolver.resolve(wanted)
        needed = [*given, *(one for one in more if one.scope in ("compile", "runtime"))]
        LockFile.from_resolved_dependencies(needed, environment_name="kafka").save(LOCK)


if __name__ == "__main__":
    lock()
    sys.stdout.write(f"{len(locked())} jars locked in {LOCK}\n")
