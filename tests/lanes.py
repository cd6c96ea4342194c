"""Which tests are quick, in which order all of them run, and what of them is measured.

Quick is what needs no server: a test that asks for neither the stack nor servers of its own, itself or by a fixture.
Nobody keeps a list of them. A test that starts one without asking for `servers` is refused it, in every run. What
needs no server and takes seconds all the same asks for `seconds`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import pytest
from coverage import Coverage

SLOW = frozenset({"stack", "servers", "seconds"})
"""Fixtures; whoever stands on one of the first two starts servers, or finds them started."""

PROCESSES = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"})
"""Python's own names for what makes a process."""

MEASURED = ("shared", "security", "content", "feedback")
"""Folders whose tests reach the kernel. They come first, and they alone are measured (`measure_what_counts`)."""

FIRST = (*MEASURED, "simulation", "e2e", "attacks", "faults", "races", "deploy", "fuzz")
"""Then folders with what takes longest, so that a worker is not left alone with it at the end.

Whatever else there is comes after them. That a folder is missing here costs time and nothing else.
"""

EVERYTHING = "GUILDHALL_TEST_MEASURES_ALL"
"""Set in the environment where what all tests reach is to be measured: `make coverage`."""


class NotAskedFor(AssertionError):
    """A test has started a server or another process, and does not say that it does."""


_refusing: list[str] = []


def _refuse(event: str, given: tuple[object, ...]) -> None:
    if _refusing and (event in PROCESSES or (event == "socket.bind" and isinstance(given[1], tuple))):
        test = _refusing[-1]
        raise NotAskedFor(f"{test}: {event}. Let it ask for `servers`, so that `make quick` goes without it.")


sys.addaudithook(_refuse)


def fixtures_of(item: pytest.Item) -> Collection[str]:
    """The names of all fixtures that a test stands on."""
    names: list[str] = getattr(item, "fixturenames", [])
    return names


def is_quick(fixtures: Collection[str]) -> bool:
    """Whether a test with those fixtures, and all that they stand on, needs no server."""
    return SLOW.isdisjoint(fixtures)


@contextmanager
def only_what_was_asked_for(test: str, fixtures: Collection[str]) -> Iterator[None]:
    """Nothing starts a server meanwhile, unless the test asked for it."""
    if not is_quick(fixtures):
        yield
        return
    _refusing.append(test)
    try:
        yield
    finally:
        _refusing.pop()


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The longest folders first, each folder's tests together: some have a system that is started for all of them."""

    def place(item: pytest.Item) -> int:
        return FIRST.index(folder) if (folder := folder_of(item)) in FIRST else len(FIRST)

    return sorted(items, key=place)


def folder_of(item: pytest.Item) -> str:
    """The folder below tests/, or the file that lies there."""
    return item.nodeid.split("/")[1]


def measure_what_counts(item: pytest.Item) -> None:
    """Stop measuring when the tests that reach the kernel are through: it alone is held to a figure.

    Python is more than twice as slow while it is measured, whatever of it is.
    """
    measuring = Coverage.current()
    if measuring is not None and folder_of(item) not in MEASURED and EVERYTHING not in os.environ:
        measuring.stop()
