"""What somebody else could have made, changed or put in the way is refused; what is written, is written anew.

A folder here is real, ours and closed to everybody else; a file is real and ours. A file is never written in place: it
is made under a name nobody can guess, and then takes the place of the old one.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO, TextIO

from deploy.local.launch import other_user
from deploy.local.problems import LocalError

UNFINISHED = ".new-"
"""How the name of a file begins until it is whole."""
_STREAMS = frozenset(map(Path, ("/dev/stdout", "/dev/stderr", "/dev/null", "/dev/tty")))


def refuse_strangers(root: Path) -> None:
    """Raise LocalError unless nobody else can have had a hand in the folder `root`; one that is not there is fine.

    Nor in any folder above it, as sshd asks of a key file (StrictModes): who may rename one puts another in its place.
    """
    refuse_exchangeable(root)
    found = _stat(root)
    if found is None:
        return
    if stat.S_ISLNK(found.st_mode) or not stat.S_ISDIR(found.st_mode):
        raise _refused(f"{root} is {_kind(found.st_mode)}, not a folder.", "What it leads to may be anybody's.")
    if found.st_uid != os.geteuid():
        raise _refused(f"{root} belongs to {_name(found.st_uid)}, not to you.", "Its owner could change all it holds.")


def refuse_exchangeable(root: Path) -> None:
    """Raise LocalError where somebody but us and root could put something else in place of `root`."""
    for above in reversed(root.parents):
        if (found := _stat(above)) is not None:
            _refuse_open_to_others(above, found, root)


def _refuse_open_to_others(above: Path, found: os.stat_result, root: Path) -> None:
    means = f"Who may change what lies there could put another folder in place of {root}."
    if stat.S_ISLNK(found.st_mode):
        raise _refused(f"{above} is a symbolic link, to {above.resolve()}.", means)
    if found.st_uid not in {0, os.geteuid()}:
        raise _refused(f"{above} belongs to {_name(found.st_uid)}, not to you.", means)
    if found.st_mode & stat.S_ISVTX:
        return  # as /tmp: everybody may add to it, and change what is their own
    if found.st_mode & stat.S_IWOTH:
        raise _refused(f"Everybody may write to {above}.", means)
    if found.st_mode & stat.S_IWGRP and not _is_alone(found.st_gid, found.st_uid):
        raise _refused(f"The group {_group(found.st_gid)} may write to {above}.", means)


def _is_alone(group: int, user: int) -> bool:
    """Whether a group is the user's own, as systems make one for each, and has nobody else in it."""
    try:
        own, theirs = pwd.getpwuid(user), grp.getgrgid(group)
    except KeyError:
        return False
    if own.pw_gid != group or own.pw_name != theirs.gr_name or not set(theirs.gr_mem) <= {own.pw_name}:
        return False
    # Whose primary group it is stands in their own entry, not among the group's members.
    return all(other.pw_gid != group or other.pw_uid == user for other in pwd.getpwall())


def refuse_open(root: Path) -> None:
    """Raise LocalError where others may enter a folder that is in use."""
    mode = stat.S_IMODE(root.lstat().st_mode)
    if mode & 0o077:
        raise LocalError(
            f"{root} has mode {mode:04o}: others than you may enter it.",
            "It holds the keys that sign tokens and make member ids, so it is closed (0700) when it is made.",
            f"If nobody can have changed anything in it: chmod 700 {root}. Else take a new one with --home DIR.",
        )


def refuse_planted(root: Path, *apart: str) -> None:
    """Raise LocalError for what lies in `root` or one folder below and is not ours; what is `apart` is not entered."""
    for entry in sorted(root.iterdir()):
        refuse_foreign(entry)
        if entry.name not in apart and entry.is_dir():
            for inner in sorted(entry.iterdir()):
                refuse_foreign(inner)


def refuse_foreign(path: Path) -> None:
    """Raise LocalError unless a file or folder of ours is a real one and belongs to us; one that is missing is fine."""
    found = _stat(path)
    if found is None:
        return
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise _refused(f"{path} is {_kind(found.st_mode)}.", "Nothing of this kind is ever made there.")
    if found.st_uid not in _owners():
        raise _refused(
            f"{path} belongs to {_name(found.st_uid)}, not to you.", "Whoever put it there chose its content."
        )


def _owners() -> set[int]:
    """Us; and where we are root, the user that PostgreSQL's folder is handed to, since PostgreSQL will not be root."""
    us = os.geteuid()
    return {us} if us else {us, other_user().pw_uid}


def make_folder(folder: Path) -> None:
    """A folder and those above it that are missing, each for us alone; LocalError when it is somebody else's."""
    with contextlib.suppress(FileExistsError):
        if not folder.parent.exists():
            make_folder(folder.parent)
        folder.mkdir(mode=0o700)
    refuse_foreign(folder)


def replace(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file whole or not at all: a crash leaves the old one, and nobody can lie in wait for the new one."""
    descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)  # O_EXCL, O_NOFOLLOW, 0600
    try:
        with open(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise


def read(path: Path) -> str:
    """The text of a file of ours; OSError where there is none, LocalError where it is not ours."""
    refuse_foreign(path)
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)) as file:
        return file.read()


def append(path: Path) -> BinaryIO:
    """A log of ours to add to; it is made where there is none."""
    refuse_foreign(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "ab")


def create(path: Path) -> TextIO:
    """A file that somebody asked for, empty and for its owner alone; a stream of the system is written to as it is.

    LocalError where the name is a link or another user's file: whoever put it there chose where our words go.
    """
    if path in _STREAMS or (path.parent == Path("/dev/fd") and path.name.isdecimal()):
        return path.open("w", newline="", encoding="utf-8")
    refuse_foreign(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC  # emptied when we know whose it is
    descriptor = os.open(path, flags, 0o600)
    if os.fstat(descriptor).st_uid not in _owners():
        os.close(descriptor)
        raise _refused(f"{path} belongs to somebody else.", "It came there just now.")
    os.ftruncate(descriptor, 0)
    return open(descriptor, "w", newline="", encoding="utf-8")


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "a file" if stat.S_ISREG(mode) else "neither a file nor a folder"


def _name(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"gid {gid}"


def _refused(what: str, means: str) -> LocalError:
    return LocalError(
        what,
        f"{means} Keys, passwords and process ids lie in such folders, so nothing of it is used.",
        "Choose a folder of your own with --home DIR (or GUILDHALL_HOME=DIR).",
    )
