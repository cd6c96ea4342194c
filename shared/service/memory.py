"""Memory that was freed stays with the process: to ask the kernel for it again costs as much as many a computation."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Numbers of glibc's `mallopt`."""

LARGEST_KEPT = 32 << 20
"""Bytes up to which one block is kept when it is freed; glibc allows no more."""
MOST_KEPT = 512 << 20
"""Bytes of free memory at the end of the heap from which on some is given back."""


def keep_freed_memory() -> None:
    """Call it before other threads allocate; where the C library is not glibc, nothing changes.

    Arrays of a few megabytes are what the scores of a large community are made of. By themselves they are taken from
    the kernel and given back each time, page by page; and each thread has a heap of its own, which is given back too.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    for option, value in ((_MMAP_THRESHOLD, LARGEST_KEPT), (_TRIM_THRESHOLD, MOST_KEPT), (_ARENA_MAX, 1)):
        mallopt(option, value)
