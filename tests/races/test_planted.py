"""The race of bringing in finds what it is there for: with the guard, or the question in the decision, taken out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.member import backfill
from services.member.roles.domain import holder
from shared.log import guards
from tests.races.ground import Ground, ground
from tests.races.races import RACES, run
from tests.stack import Stack

NAME = "bringing in while one's role is revoked"


@pytest.fixture(scope="module")
async def here(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with ground(stack, tmp_path_factory.mktemp("home")) as running:
        yield running


async def finds_it(here: Ground) -> bool:
    """Whether some round of many breaks a rule; one in eight did where the base is not guarded."""
    for _ in range(12):
        if (await run(RACES[NAME], here, 10)).broken:
            return True
    return False


async def test_a_decision_that_does_not_ask_again_is_found(here: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "confirmed", lambda me, community, own, asked=None: holder(me.id, community, own))
    assert await finds_it(here)


async def test_a_base_that_is_not_guarded_is_found(here: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unguarded(*_: object) -> set[int]:
        await asyncio.sleep(0.02)  # on a fast machine hardly anything comes between a decision and its write
        return set()

    monkeypatch.setattr(guards, "outdated", unguarded)
    assert await finds_it(here)
