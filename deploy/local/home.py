"""The state folder: everything a local system keeps, in one place that carries its version and its lock."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from deploy.local import ownership, problems
from deploy.local.identity import same
from deploy.local.problems import LocalError

VERSION = 1  # of the folder's layout; raise it when an older program would misread the folder
ROOM_NEEDED = 512 * 1024 * 1024


@dataclass(frozen=True)
class Home:
    """A state folder. `open` makes and checks it, `lock` is held by the one who runs it.

    Nothing is read from a folder or a file that is not ours: LocalError.
    """

    root: Path

    @classmethod
    def at(cls, folder: Path | str | None = None) -> Home:
        chosen = folder or os.environ.get("GUILDHALL_HOME") or ".guildhall"
        return cls(Path(os.path.abspath(Path(chosen).expanduser())))

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def open(self) -> Home:
        """Make the folder, or check that this program understands it and may write there."""
        try:
            ownership.refuse_strangers(self.root)
            self.root.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                self.root.mkdir(mode=0o700)
            ownership.refuse_strangers(self.root)
            self._check_version()
            ownership.refuse_planted(self.root, "postgres", "kafka")
            with tempfile.TemporaryFile(dir=self.root) as probe:
                probe.write(b"x")
            ownership.make_folder(self.logs)
            if shutil.disk_usage(self.root).free < ROOM_NEEDED:
                raise problems.disk_full(self.root)
        except OSError as error:
            raise problems.from_os_error(error, self.root) from error
        return self

    def _check_version(self) -> None:
        file = self.root / "version"
        if not os.path.lexists(file):
            strangers = [one.name for one in self.root.iterdir() if not one.name.startswith(ownership.UNFINISHED)]
            if strangers and strangers != ["lock"]:
                raise LocalError(
                    f"{self.root} holds {strangers[0]} but no version file.",
                    "It is either not a Guildhall state folder or older than this program can read.",
                    "Choose an empty folder with --home DIR, or remove this one if it may go.",
                )
            self.root.chmod(0o700)
            self.write("version", f"{VERSION}\n")
            return
        ownership.refuse_open(self.root)
        text = ownership.read(file).strip()
        found = int(text) if text.isdecimal() else -1
        if found == VERSION:
            return
        age = "newer" if found > VERSION else "older"
        raise LocalError(
            f"{self.root} is the state folder of {'a newer' if age == 'newer' else 'an older'} Guildhall "
            f"(format {text or 'unreadable'}, this program writes {VERSION}).",
            "Starting on it could damage what it holds, so nothing was touched.",
            f"Use the {age} program for it, take another folder with --home DIR, or remove it to begin afresh.",
        )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Held while a supervisor lives; the kernel lets go of it however that ends. Raises when held."""
        ownership.refuse_strangers(self.root)
        ownership.refuse_foreign(self.root / "lock")
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise problems.already_starting(self.root, self.supervisor()) from None
            yield
        finally:
            os.close(descriptor)

    def supervisor(self) -> int | None:
        """The process id of the supervisor that is alive now, as it recorded itself."""
        state = self.read("state.json")
        pid, recorded = state.get("supervisor"), state.get("identity")
        return pid if isinstance(pid, int) and recorded and same(pid, recorded) else None

    def is_locked(self) -> bool:
        ownership.refuse_strangers(self.root)
        try:
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """Write a file whole or not at all: a crash leaves the old one."""
        path = self.root / name
        if path.parent != self.root:
            ownership.make_folder(path.parent)
        ownership.replace(path, text, mode)
        return path

    def append(self, name: str) -> BinaryIO:
        """The log of a process, to add to."""
        ownership.make_folder(self.logs)
        return ownership.append(self.log(name))

    def read(self, name: str) -> dict[str, Any]:
        """A JSON object of the folder; empty when it is missing or broken."""
        ownership.refuse_strangers(self.root)
        try:
            found = json.loads(ownership.read(self.root / name))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def secret(self, name: str) -> str:
        """64 hex digits, made once for this installation."""
        return self.kept(name, lambda: secrets.token_hex(32)).strip()

    def kept(self, name: str, make: Callable[[], str]) -> str:
        """What `secrets/` holds under a name, made once where there is nothing yet."""
        path = self.root / "secrets" / name
        if not os.path.lexists(path):
            self.write(f"secrets/{name}", make())
        return ownership.read(path)
