"""Nobody keeps a process busy by waiting, and nobody fills what others have to read.

Attacks 9 and 10; how 25's thread of many edits grows is in docs/attacks.md. What the worst requests cost: `make abuse`.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import httpx2 as httpx

from tests.attacks.target import Target
from tests.positions import token_of

WAITERS, CALLERS = 300, 30
MOST_OF_A_CORE = 0.4


def processor_time(process: int) -> float:
    """Seconds that a process has used of a core."""
    spent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


async def test_three_hundred_who_wait_keep_no_process_busy(target: Target) -> None:
    """9: they took 0.9 of a core; with the installation's own secret, since nobody is given a position ahead."""
    place = await target.found(*(f"waiter {n}" for n in range(CALLERS)))
    ahead = token_of({("content", p): 10_000_000 for p in range(12)}, target.home.secret("member"))
    headers = {"guildhall-after": ahead, "prefer": "wait=10"}
    path = f"http://127.0.0.1:{target.ports['content']}/v1/communities/{place.slug}/channels"

    async def wait(number: int) -> int:
        token = target.token(place.subject(f"waiter {number % CALLERS}"))
        answer = await target.client.get(path, headers={**headers, "authorization": f"Bearer {token}"})
        return answer.status_code

    waiting = [asyncio.create_task(wait(number)) for number in range(WAITERS)]
    await asyncio.sleep(2.5)
    process, began = target.pid("content"), time.monotonic()
    before = processor_time(process)
    good = [(await place.by("alice", "GET", "/channels", door="content")).status_code for _ in range(5)]
    await asyncio.sleep(2.0)
    spent = (processor_time(process) - before) / (time.monotonic() - began)
    assert spent < MOST_OF_A_CORE, f"{spent:.2f} of a core"
    assert good == [200] * 5
    assert sum(not task.done() for task in waiting) > WAITERS / 2, "they were to wait while that was measured"
    assert set(await asyncio.gather(*waiting)) == {503}


async def test_one_caller_waits_a_few_times_only(target: Target) -> None:
    """9: "charged to nobody": beyond 64 requests of one caller that wait, the answer is 429 at once."""
    place = await target.found("bob")
    ahead = token_of({("content", 0): 10_000_000}, target.home.secret("member"))
    headers = {
        "guildhall-after": ahead,
        "prefer": "wait=4",
        "authorization": f"Bearer {target.token(place.subject('bob'))}",
    }
    path = f"http://127.0.0.1:{target.ports['content']}/v1/communities/{place.slug}/channels"
    answers = await asyncio.gather(*(target.client.get(path, headers=headers) for _ in range(90)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(429) == 90 - 64
    assert statuses.count(503) == 64


async def test_nobody_waits_for_a_position_that_nobody_was_given(target: Target) -> None:
    """9: far ahead in plain words, changed by a letter, of another installation, of another service; at once 400."""
    place = await target.found("bob")
    written = await place.by("alice", "PATCH", "", {"name": "Anew"})
    given = written.headers["guildhall-position"]
    flipped = given[:20] + ("A" if given[20] != "A" else "B") + given[21:]
    foreign = token_of({("content", 3): 10_000_000}, "the secret of another installation")
    for service, path in (
        ("member", "/members"),
        ("content", "/threads"),
        ("engagement", f"/views?target={place.id}"),
        ("feedback", "/suggestions"),
        ("projection", "/metrics/activity"),
    ):
        for token in ("content/3/10000000", "content/3/1", flipped, foreign, given[:-1], given + "A", "A" * 200, "*"):
            began = time.monotonic()
            headers = {"guildhall-after": token, "prefer": "wait=10"}
            answer = await place.by(f"guesser at {service}", "GET", path, headers=headers)
            assert answer.status_code == 400, (service, token, answer.text)
            assert time.monotonic() - began < 8


async def test_founding_asks_its_scope(target: Target) -> None:
    """10: no scope was asked; now 403 that names the one that is."""
    place = await target.found()
    for number, scope in enumerate(("", "guildhall:backfill", "guildhall:found2", "found")):
        body = {"slug": f"{place.slug}-{number}", "name": "N", "purpose": "P", "language": "en", "time_zone": "UTC"}
        answer = await place.by("mallory", "POST", "/v1/communities", body, scope=scope)
        assert answer.status_code == 403, answer.text
        assert "guildhall:found" in answer.headers["www-authenticate"]


async def test_a_caller_founds_a_few_communities_a_day(target: Target) -> None:
    """10: four thousand in 29 s; now twenty a day, also sent at once, and a repetition is none of them."""
    place = await target.found()

    async def found(number: int) -> httpx.Response:
        body = {"slug": f"{place.slug}-{number}", "name": "N", "purpose": "P", "language": "en", "time_zone": "UTC"}
        return await place.by("mallory", "POST", "/v1/communities", body, patient=False)

    answers = await asyncio.gather(*map(found, range(30)))
    made = [number for number, answer in enumerate(answers) if answer.status_code == 201]
    assert len(made) == 20
    assert {answer.status_code for answer in answers} == {201, 429}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 429)
    assert (await found(made[0])).status_code in (200, 201), "a repetition"
