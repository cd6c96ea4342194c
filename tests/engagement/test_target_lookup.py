"""Who looks for what is not there yet waits with a bound, and a look-up that waits looks ever less often."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from services.engagement.target_lookup import target_lookup
from shared.events.errors import Behind, TooManyRequests
from shared.events.identity import Caller
from shared.projections.waiters import OF_A_CALLER
from tests.engagement.town import Town

GREEDY, PATIENT = (Caller("issuer", subject, frozenset(), b"") for subject in ("greedy", "patient"))


async def test_one_caller_waits_a_few_times_at_once_and_holds_up_nobody_else(town: Town) -> None:
    known = target_lookup(town.engagement.runtime)
    never = replace(known, clock_bound=3600.0)  # what is asked for counts as not known for so long

    async def ask(caller: Caller | None, patience: float = 0.5 - 3600) -> object:
        return await never.look_up(uuid4(), uuid4(), caller=caller, patience=patience)

    many = [asyncio.create_task(ask(GREEDY, patience=3600)) for _ in range(OF_A_CALLER)]
    async with asyncio.timeout(60):  # the process is slow or not: they wait after their first look
        while never.waiters._callers[GREEDY] < OF_A_CALLER:
            await asyncio.sleep(0.05)
    with pytest.raises(TooManyRequests):
        await ask(GREEDY)
    with pytest.raises(Behind):
        await ask(PATIENT)
    with pytest.raises(Behind):
        await ask(None)
    assert not any(one.done() for one in many)
    for one in many:
        one.cancel()
    await asyncio.wait(many)
    assert await known.look_up(uuid4(), uuid4(), caller=GREEDY, patience=60) is None
