"""Goal 9: PostgreSQL is killed and falls into a black hole, clients hang up: a clear 503, no leak, back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time

import asyncpg

from deploy.local.issuer import Issuer
from tests.faults.facts import Town
from tests.faults.stage import Stage
from tests.faults.system import System

RATE = 60.0
CLEAR, RECOVERY = 5.0, 10.0
"""Seconds: an answer while the database is away, and until every service writes again once it is back."""
SESSIONS = """
select count(*) as all,
       count(*) filter (where state like 'idle in transaction%' and state_change < now() - interval '1 second') as stuck
from pg_stat_activity where application_name like 'guildhall-%'
"""
MOST = 5 * (2 * (10 + 2) + 6 + 2)
"""Sessions that the pools of five services may hold."""


async def run(stage: Stage) -> None:
    system, town = await stage.system(), await stage.town()
    kills, holes = stage.choose(4, 40), stage.choose(2, 20)
    seconds = float(stage.choose(8, 30))
    recoveries: list[float] = []
    windows: list[tuple[float, float]] = []
    async with stage.live(RATE):
        await asyncio.sleep(2)
        for number in range(kills):
            stage.say(f"kill -9 of PostgreSQL, {number + 1} of {kills}")
            began = time.monotonic()
            await system.kill("postgres")
            await _back(system)
            recoveries.append(await written_again(town))
            windows.append((began, time.monotonic()))
            await asyncio.sleep(1)
        for number in range(holes):
            stage.say(f"a black hole of {seconds:.0f} s before PostgreSQL, {number + 1} of {holes}")
            began = time.monotonic()
            system.postgres.swallow()
            await asyncio.sleep(seconds)
            system.postgres.mend()
            recoveries.append(await written_again(town))
            windows.append((began, time.monotonic()))
            await asyncio.sleep(1)
    scale = f"{kills} of 40 kills, {holes} of 20 black holes of {seconds:.0f} of 30 s"
    away = [attempt for attempt in town.attempts if any(began <= attempt.began <= end for began, end in windows)]
    slowest = max((attempt.took for attempt in away), default=0.0)
    statuses = {attempt.status for attempt in away}
    refusals = sum(attempt.status == 503 for attempt in away)
    stage.figure(
        9,
        "answers while PostgreSQL is away",
        f"{refusals} × 503, slowest {slowest:.2f} s, statuses {sorted(statuses)}",
        f"201 or 503 within {CLEAR:.0f} s",
        holds=statuses <= {201, 503} and slowest <= CLEAR and refusals > 0,
        scale=scale,
    )
    slow = max(recoveries)
    required = f"≤ {RECOVERY:.0f} s after it is back"
    stage.figure(9, "every service writes again", f"{slow:.1f} s", required, holds=slow <= RECOVERY, scale=scale)
    await _cancelled(stage, system, town)
    await stage.settled(9, "the last fault of PostgreSQL")
    await stage.judged(9, "after PostgreSQL was away", scale)


async def _back(system: System) -> None:
    """Wait until the database itself takes connections."""
    while True:
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError):
            await (await system.connect("member")).close()
            return
        await asyncio.sleep(0.05)


async def written_again(town: Town, deadline: float = 60.0) -> float:
    """Seconds from now until each kind of fact has been acknowledged that was sent from now on."""
    began, looked = time.monotonic(), len(town.attempts)
    first: dict[str, float] = {}
    while len(first) < len(town.kinds):
        if time.monotonic() - began > deadline:
            return deadline
        await asyncio.sleep(0.05)
        new, looked = town.attempts[looked:], len(town.attempts)
        for attempt in new:
            if attempt.status == 201 and attempt.began >= began:
                first.setdefault(attempt.kind, attempt.ended)
    return max(first.values()) - began


async def _cancelled(stage: Stage, system: System, town: Town) -> None:
    """Requests whose client hangs up at a random moment."""
    count = stage.choose(2_000, 10_000)
    stage.say(f"{count:,} requests whose client hangs up")
    rng = random.Random(stage.seed)
    token = Issuer(system.home).mint()
    ports = [system.parts.ports[name] for name in ("content", "feedback", "engagement", "projection")]
    # What is submitted by such a request is nobody's fact: it goes to a community of its own.
    paths = [f"{town.path}/threads", f"/v1/communities/{await _aside(town)}/suggestions"]
    paths += [f"{town.path}/shares?target={town.thread}", f"{town.path}/metrics/activity"]
    room = asyncio.Semaphore(32)

    async def one(number: int) -> None:
        kind = number % 4
        method, body = ("POST", b'{"title": "Never mind"}') if kind == 1 and number % 8 == 1 else ("GET", b"")
        head = f"{method} {paths[kind]} HTTP/1.1\r\nhost: it\r\nauthorization: Bearer {token}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        async with room:
            _, writer = await asyncio.open_connection("127.0.0.1", ports[kind])
            writer.write(head.encode() + body)
            await asyncio.sleep(rng.uniform(0, 0.03))
            writer.transport.abort()

    await asyncio.gather(*(one(number) for number in range(count)))
    await asyncio.sleep(2)
    connection = await system.connect("member")
    found = await connection.fetchrow(SESSIONS)
    await connection.close()
    assert found is not None
    stage.figure(
        9,
        "sessions after clients hung up",
        f"{found['stuck']} left in a transaction, {found['all']} in all",
        f"0, and at most {MOST}",
        holds=found["stuck"] == 0 and found["all"] <= MOST,
        scale=f"{count:,} of 10,000 requests",
    )


async def _aside(town: Town) -> str:
    fact = town.new("community")
    client = town.client()
    while await town.tell(client, fact) != 201:
        await asyncio.sleep(0.2)
    client.close()
    return f"{town.name}-{fact.number}"
