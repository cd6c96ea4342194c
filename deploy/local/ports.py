"""The origin's port is the user's choice; the others follow it, are remembered, and give way when taken."""

from __future__ import annotations

import socket
from collections.abc import Iterable

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Nobody listens there; connections in TIME_WAIT do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def assign(names: Iterable[str], base: int, remembered: dict[str, int]) -> dict[str, int]:
    """A free port for each name: the remembered one, else the next above `base`.

    Ports stay below 32768: above, the system hands them to outgoing connections, and a process that
    starts again could find its own port taken by a client of its neighbour.
    """
    given: dict[str, int] = {}
    candidate = base if base < 30000 else 8000
    for name in names:
        kept = remembered.get(name)
        if kept is not None and kept != base and kept not in given.values() and is_free(kept):
            given[name] = kept
            continue
        candidate += 1
        while candidate in (*given.values(), *remembered.values()) or not is_free(candidate):
            candidate += 1
        given[name] = candidate
    return given


def answers(port: int, timeout: float = 0.5) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout).close()
    except OSError:
        return False
    return True
