"""Each race some rounds long; `python -m tests.races --rounds 1000` runs the long ones."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.races.ground import Ground, ground
from tests.races.races import RACES, run
from tests.stack import Stack

ROUNDS = 60


@pytest.fixture(scope="module")
async def here(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with ground(stack, tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.mark.parametrize("name", RACES)
async def test_no_race_breaks_a_rule(name: str, here: Ground) -> None:
    assert await run(RACES[name], here, ROUNDS) == []
