"""What a view does not have is looked for until the view holds all that was acknowledged before the question.

So whoever asks right after a change finds it, and what is not found then is not there.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TypeVar

from shared.events.identity import Caller
from shared.projections.waiters import Waiters

T = TypeVar("T")

OF_ALL = 500
"""Requests that may wait for look-ups in a process at once: each of them looks by itself."""


def look_up_waiters() -> Waiters:
    """Those who wait in a process for what is not known there yet."""
    return Waiters("what may be on its way here", of_all=OF_ALL)


def waiting(waiters: Waiters, caller: Caller | None) -> AbstractContextManager[None]:
    """While a look-up waits for that caller; None for a line of a backfill, since those have a bound of their own."""
    return nullcontext() if caller is None else waiters.one_of(caller)


async def look_until_known(
    look: Callable[[], Awaitable[tuple[T, float]]],
    enough: Callable[[T], bool],
    pause: Callable[[int], Awaitable[None]],
    *,
    due: float,
    patience: float,
    waiting: AbstractContextManager[None],
) -> tuple[T, bool]:
    """What `look` found at last, and whether that is how it is: False where patience ran out first.

    `look` answers what it found and up to when the view was complete, as `complete_at` tells it. It looks anew until
    what it found is `enough` or the view is complete up to `due` (monotonic), or `patience` seconds later; after each
    look it makes a `pause`, which is told how many there were. What is not found at the first look is looked for within
    `waiting`, and what that raises is raised.
    """
    give_up = due + patience
    looks = 0
    with ExitStack() as stack:
        while True:
            found, complete = await look()
            looks += 1
            if enough(found) or complete >= due:
                return found, True
            if time.monotonic() >= give_up:
                return found, False
            if looks == 1:
                stack.enter_context(waiting)
            await pause(looks)
