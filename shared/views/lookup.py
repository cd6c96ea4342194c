"""What a view does not have is looked for until the view holds all that was recorded before the question.

So whoever asks right after a change finds it, and what is not found then is not there.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

NEVER_SEEN = float("-inf")
"""The time at which a view held all there was that was never caught up with, or of which nobody here knows."""


def held_all_at(asked: float, age: float | None) -> float:
    """The monotonic time at which a view held all there was: `age` seconds before `asked`, never where that is null."""
    return NEVER_SEEN if age is None else asked - age


async def look_until_known(
    look: Callable[[], Awaitable[tuple[T, float]]],
    enough: Callable[[T], bool],
    pause: Callable[[int], Awaitable[None]],
    *,
    due: float,
    patience: float,
) -> tuple[T, bool]:
    """What `look` found at last, and whether that is how it is: False where patience ran out first.

    `look` answers what it found and when the view held all there was, as `held_all_at` tells it. It looks anew until
    what it found is `enough` or the view held all at `due` (monotonic), or `patience` seconds later; after each look
    it makes a `pause`, which is told how many there were.
    """
    give_up = due + patience
    looks = 0
    while True:
        found, held_all = await look()
        looks += 1
        if enough(found) or held_all >= due:
            return found, True
        if time.monotonic() >= give_up:
            return found, False
        await pause(looks)
