"""The short form of the storm: a whole system is killed and cut, and the clients' record holds to the last fact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.faults.facts import SERVICE, Fact, Town
from tests.faults.oracle import Findings, judge, log_holds, nothing_half
from tests.faults.system import System

RATE = 60.0


@pytest.fixture(scope="module")
async def system(servers: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    running = System(tmp_path_factory.mktemp("faults") / "home", ("member", "content", "projection"))
    try:
        await running.start()
        yield running
    finally:
        await running.stop()


@pytest.fixture(scope="module")
async def town(system: System) -> Town:
    """A community that lived through the storm."""
    town, done = Town(system.port, system.home, "town", kinds=["reply", "community"]), asyncio.Event()
    await town.found()
    living = asyncio.create_task(town.live(RATE, done))
    await asyncio.sleep(1)
    await system.kill("content")
    system.kafka.swallow()
    await asyncio.sleep(1)
    await system.kill("projection")
    system.kafka.cut()  # killing it costs ten seconds of a core; the tests of the relay do, and `make faults`
    await asyncio.sleep(1)
    system.kafka.mend()
    await system.kill("postgres")
    await asyncio.sleep(2)
    system.postgres.cut()
    await asyncio.sleep(0.5)
    system.postgres.mend()
    await asyncio.sleep(2)
    done.set()
    await living
    await system.caught_up(120)
    return town


async def test_nothing_is_lost_or_doubled_or_half_after_everything_was_killed(system: System, town: Town) -> None:
    findings = await judge(system, town)

    assert findings.wrong == []
    assert all(sum(fact.acknowledged for fact in town.of(kind)) > 5 for kind in town.kinds)
    assert {"content", "projection", "postgres"} <= {name for name, times in system.restarts().items() if times}


async def test_the_oracle_sees_what_is_lost_and_what_is_half(system: System, town: Town) -> None:
    lost = Fact(-1, "reply", "lost", uuid4())
    town.facts.append(lost)
    findings = Findings()
    await log_holds(system, SERVICE["reply"], town, findings, whole=False)
    town.facts.remove(lost)
    assert any("lost" in each for each in findings.wrong)

    connection = await system.connect("content")
    await connection.execute("delete from vault where ref = (select ref from vault limit 1)")
    await connection.close()
    findings = Findings()
    await nothing_half(system, "content", findings)
    assert findings.wrong == ["content: events without their words: 1, expected 0"]
