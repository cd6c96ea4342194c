"""Those who wait for views share one look, are told apart, and are bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import create_engine, driver
from shared.events.errors import Behind, TooManyRequests
from shared.projections.waiters import OF_A_CALLER
from shared.projections.waiting import Waiting
from tests.conftest import FreshDatabase
from tests.shared.board import METADATA, VOTE_COUNT


class CountedWaiting(Waiting):
    """As in use; it counts how often it looks."""

    looks = 0

    async def _stands(self, places: Any) -> Any:
        self.looks += 1
        return await super()._stands(places)


@pytest.fixture
async def engine(fresh_database: FreshDatabase) -> AsyncIterator[AsyncEngine]:
    async with fresh_database(METADATA) as settings:
        engine = create_engine(settings, "beta", connections=4)
        await fold(engine, 0, begin=True)
        yield engine
        await engine.dispose()


async def fold(engine: AsyncEngine, position: int, *, begin: bool = False) -> None:
    """The view has come to that position of partition 3."""
    async with driver(engine) as connection:
        if begin:
            await connection.execute(
                "insert into watermark (view, source, partition, position) values ('vote_count', 'beta', 3, $1)",
                position,
            )
        else:
            await connection.execute("update watermark set position = $1 where partition = 3", position)


async def test_three_hundred_who_wait_cost_no_more_looks_than_one(engine: AsyncEngine) -> None:
    waiting = CountedWaiting(engine)
    asked = [
        asyncio.create_task(waiting.until([VOTE_COUNT], {("beta", 3): 1}, 5.0, caller=number)) for number in range(300)
    ]
    await asyncio.sleep(0.5)
    looks = waiting.looks
    await fold(engine, 1)
    await asyncio.gather(*asked)

    assert looks <= 25, "half a second holds some fifteen looks of one who waits alone"


async def test_each_is_answered_when_the_view_is_where_they_asked(engine: AsyncEngine) -> None:
    waiting = Waiting(engine)
    first = asyncio.create_task(waiting.until([VOTE_COUNT], {("beta", 3): 1}, 5.0))
    second = asyncio.create_task(waiting.until([VOTE_COUNT], {("beta", 3): 2}, 5.0))

    await fold(engine, 1)
    await first
    assert not second.done()
    await fold(engine, 2)
    await second


async def test_one_caller_waits_a_few_times_at_once_and_holds_up_nobody_else(engine: AsyncEngine) -> None:
    waiting = Waiting(engine)
    many = [
        asyncio.create_task(waiting.until([VOTE_COUNT], {("beta", 3): 1}, 5.0, caller="greedy"))
        for _ in range(OF_A_CALLER)
    ]
    await asyncio.sleep(0)

    with pytest.raises(TooManyRequests):
        await waiting.until([VOTE_COUNT], {("beta", 3): 1}, 5.0, caller="greedy")
    with pytest.raises(Behind):
        await waiting.until([VOTE_COUNT], {("beta", 3): 1}, 0.1, caller="patient")
    await fold(engine, 1)
    await asyncio.gather(*many)
    await waiting.until([VOTE_COUNT], {("beta", 3): 1}, 5.0, caller="greedy")


async def test_who_goes_away_is_waited_for_no_longer(engine: AsyncEngine) -> None:
    waiting = CountedWaiting(engine)
    asked = asyncio.create_task(waiting.until([VOTE_COUNT], {("beta", 3): 1}, 5.0, caller="gone"))
    await asyncio.sleep(0.05)
    asked.cancel()
    await asyncio.sleep(0.1)
    looks = waiting.looks
    await asyncio.sleep(0.2)

    assert waiting.looks == looks


async def test_an_error_of_the_database_reaches_all_who_wait(engine: AsyncEngine) -> None:
    waiting = Waiting(engine)
    async with driver(engine) as connection:
        await connection.execute("alter table watermark rename to elsewhere")

    answers = await asyncio.gather(
        *(waiting.until([VOTE_COUNT], {("beta", 3): 1}, 5.0) for _ in range(3)), return_exceptions=True
    )

    assert ["elsewhere" in str(answer) or "watermark" in str(answer) for answer in answers] == [True] * 3
