"""Run one command as PostgreSQL wants it (not as root), and never let it outlive the one who started it.

Executed by path with the standard library only: launch.py [options] -- COMMAND. It replaces itself with
the command, so the process id stays. Ways to leave root, from the most to the least contained:

  namespace   a user namespace that maps an ordinary uid to root's: files stay root's, a folder below
              /root with mode 700 stays reachable, and nothing needs to change owner
  capability  the uid of `nobody`, keeping only the capability to pass folder permissions
  plain       the uid of `nobody`, for systems without either

Exit status 96 with one line on standard error: the way does not work here.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pwd
import struct
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
LINUX_CAPABILITY_VERSION_3 = 0x20080522


def other_user() -> pwd.struct_passwd:
    """An existing user that is not root: initdb looks its own name up and gives up on an unknown uid."""
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        return next(entry for entry in pwd.getpwall() if 0 < entry.pw_uid < 2**31)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, call: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")


def enter_namespace() -> None:
    user, uid, gid = other_user(), os.geteuid(), os.getegid()
    _check(_libc().unshare(CLONE_NEWUSER), "unshare")
    # A process may map its own ids without privilege, once it has given up changing its groups.
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user.pw_uid} {uid} 1"),
        ("gid_map", f"{user.pw_gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def become_other(*, keep_paths_open: bool) -> None:
    user, libc = other_user(), _libc()
    if keep_paths_open:
        _check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl")
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    if keep_paths_open:
        kept = 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH
        header = struct.pack("II", LINUX_CAPABILITY_VERSION_3, 0)
        _check(libc.capset(header, struct.pack("6I", kept, kept, kept, 0, 0, 0)), "capset")
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            _check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0), "prctl")


def must_work(folder: str, program: str) -> None:
    """Prove what PostgreSQL will need instead of guessing it from mode bits."""
    if os.geteuid() == 0:
        raise PermissionError("still root")
    with open(program, "rb"):
        pass
    probe = os.path.join(folder, f".probe-{os.getpid()}")
    os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    os.unlink(probe)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", choices=["none", "namespace", "capability", "plain"], default="none")
    parser.add_argument("--death-signal", type=int, default=0)
    parser.add_argument("--parent", type=int, default=0)
    parser.add_argument("--must-write", default="")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:]
    try:
        match options.way:
            case "namespace":
                enter_namespace()
            case "capability" | "plain":
                become_other(keep_paths_open=options.way == "capability")
        if options.must_write:
            must_work(options.must_write, command[0])
    except (OSError, StopIteration, AttributeError) as error:
        sys.stderr.write(f"{options.way}: {error}\n")
        sys.exit(96)
    if options.death_signal and sys.platform == "linux":
        # Last, because a change of credentials clears it; the parent may be gone already.
        _libc().prctl(PR_SET_PDEATHSIG, options.death_signal, 0, 0, 0)
        if os.getppid() != options.parent:
            sys.exit(0)
    os.execv(command[0], command)  # noqa: S606  becoming the command is the point


if __name__ == "__main__":
    main()
