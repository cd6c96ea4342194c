"""What a computation frees is there for the next one, in whatever thread that runs."""

from __future__ import annotations

import ctypes
import resource
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, sys, threading
import numpy as np
from shared.service.memory import keep_freed_memory

ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: all pages are of one size, however the kernel is set

if sys.argv[1] == "kept":
    keep_freed_memory()

def compute():
    arrays = [np.ones(3 << 17) for _ in range(20)]  # of 3 MiB each

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


def faults(how: str) -> int:
    """Pages that the kernel had to give to the second of two threads that each fill 60 MiB."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="by glibc's own options")
@pytest.mark.usefixtures("servers")
def test_freed_memory_is_not_asked_for_again() -> None:
    pages = 60 * 2**20 // resource.getpagesize()

    assert faults("kept") < pages / 32
    assert faults("given back") > pages * 2 / 3
