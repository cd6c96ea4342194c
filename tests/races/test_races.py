"""Each race some rounds long; `python -m tests.races --rounds 1000` runs the long ones."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.races.ground import Ground, ground
from tests.races.races import RACES, rounds_of, run
from tests.stack import Stack

ROUNDS = 16
HEAD_STARTS = (0.01, 0.03, 0.1, 0.3)
"""Seconds; a race is played again with a longer one while it is always the same side that is first."""


@pytest.fixture(scope="module")
async def here(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with ground(stack, tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.mark.parametrize("name", RACES)
async def test_no_race_breaks_a_rule(name: str, here: Ground) -> None:
    met = 0
    for head_start in HEAD_STARTS:
        outcome = await run(RACES[name], here, rounds_of(name, ROUNDS), head_start)
        assert outcome.broken == []
        if outcome.raced:
            return
        met += outcome.met
    # Who is first hangs on the machine, so that it was always the same one is no fault; that they never met is one.
    assert met, f"It was no race: {outcome}"
