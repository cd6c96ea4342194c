"""What is not there yet is looked for until the view holds all that was recorded before the question."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest

from shared.events.errors import Unavailable
from shared.projections.completeness import NEVER, complete_at
from shared.projections.waiters import Waiters
from shared.replicas.lookup import look_until_known

PATIENCE = 60.0
ANYBODY = nullcontext()


async def ask(
    *looks: tuple[str | None, float],
    due: float,
    patience: float = PATIENCE,
    waiting: AbstractContextManager[None] = ANYBODY,
) -> tuple[tuple[str | None, bool], int]:
    """The answer, and how many pauses it took; `looks` are what each look finds, and the time it is sure of."""
    remaining: Iterator[tuple[str | None, float]] = iter(looks)
    pauses = 0

    async def look() -> tuple[str | None, float]:
        return next(remaining)

    async def pause(looks: int) -> None:
        nonlocal pauses
        pauses += 1
        assert looks == pauses

    answer = await look_until_known(
        look, lambda found: found is not None, pause, due=due, patience=patience, waiting=waiting
    )
    assert next(remaining, None) is None, "it looked less often than it was given to"
    return answer, pauses


async def test_what_is_there_is_answered_at_once_however_far_the_view_is() -> None:
    assert await ask(("there", NEVER), due=time.monotonic()) == (("there", True), 0)


async def test_what_arrives_while_it_is_looked_for_is_found() -> None:
    due = time.monotonic()

    assert await ask((None, due - 2), (None, due - 1), ("there", due - 1), due=due) == (("there", True), 2)


async def test_what_a_complete_view_lacks_is_not_there() -> None:
    due = time.monotonic()

    assert await ask((None, NEVER), (None, due), due=due) == ((None, True), 1)


async def test_of_a_view_that_stays_behind_nobody_can_tell() -> None:
    due = time.monotonic() - 1

    assert await ask((None, due - 0.001), due=due, patience=0.5) == ((None, False), 0)


async def test_only_who_looks_again_takes_a_place_among_those_who_wait() -> None:
    full, due = Waiters("it", of_all=0), time.monotonic()

    assert await ask(("there", NEVER), due=due, waiting=full.one_of("me")) == (("there", True), 0)
    assert await ask((None, due), due=due, waiting=full.one_of("me")) == ((None, True), 0)
    with pytest.raises(Unavailable):
        await ask((None, NEVER), due=due, waiting=full.one_of("me"))


def test_a_view_that_was_never_complete_is_never_known_to_be() -> None:
    assert complete_at(100.0, 2.5) == 97.5
    assert complete_at(100.0, None) == NEVER
