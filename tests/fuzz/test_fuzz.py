"""A short run of the fuzzer with the tests; `make fuzz` is the long one (docs/hardening.md)."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.city.asking import Answer, Request
from tests.city.city import City, city
from tests.city.village import Village
from tests.fuzz import machine, schemas
from tests.fuzz.campaign import Campaign, run
from tests.fuzz.oracle import Oracle
from tests.fuzz.tally import Finding, Tally
from tests.stack import Stack

SEED = os.environ.get("GUILDHALL_FUZZ_SEED", "short")
GENERATED, CASES, RULES = 900, 70, 60


@pytest.fixture(scope="module")
async def running(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[City]:
    async with city(stack, tmp_path_factory.mktemp("home")) as running:
        yield running


def shown(campaign: Campaign) -> str:
    """What was found, as a failing test shows it."""
    return "\n".join(
        f"{found.problem}\n  {found.curl}\n  → {found.status} {found.answer}\n"
        f"  make fuzz SEED={campaign.seed} EPISODE={found.episode}"
        for found in campaign.tally.findings[:10]
    )


async def test_nothing_generated_breaks_a_service(running: City) -> None:
    campaign = Campaign(running, SEED)
    await run(campaign, GENERATED)

    assert campaign.tally.total == GENERATED
    assert not campaign.tally.findings, shown(campaign)
    assert not campaign.stalls.found


async def test_nothing_that_schemathesis_draws_breaks_a_service(running: City) -> None:
    campaign = Campaign(running, SEED)
    await schemas.cases(campaign, 0, CASES)

    assert campaign.tally.total >= CASES // 2
    assert not campaign.tally.findings, shown(campaign)


async def test_what_people_do_one_after_another_comes_to_what_the_model_says(running: City) -> None:
    campaign = Campaign(running, SEED)
    await machine.rules(campaign, 0, RULES)

    assert campaign.tally.total >= RULES
    assert not campaign.tally.findings, shown(campaign)


def test_what_a_worker_found_arrives_as_it_was() -> None:
    tally = Tally(violations=1, longest_turn=0.5, findings=[Finding("problem", "generated/1", "curl", 500, "")])
    answer = Answer(201, [], b"")
    tally.count("generated", Request("content", "POST", "/"), answer, "open_thread")

    assert Tally.of_json(json.loads(json.dumps(tally.as_json()))) == tally


@pytest.fixture(scope="module")
async def foreign(running: City) -> Village:
    return await Campaign(running, "oracle").foreign()


async def _thread(running: City, foreign: Village) -> tuple[Request, Answer]:
    request = foreign.request("owner", "content", "GET", f"/threads/{foreign.ids['thread'][0]}")
    return request, await running.ask(request)


PROBLEM = b'{"type":"urn:guildhall:problem:invalid","title":"t","status":422,"detail":"d"%b}'


@pytest.mark.parametrize(
    ("status", "media_type", "body", "said"),
    [
        (500, "application/problem+json", PROBLEM % b"", "status 500"),
        (200, "application/json", b"{}", "breaks its schema"),
        (202, "application/json", b"{}", "is not documented"),
        (422, "text/plain", b"no", "422 as 'text/plain'"),
        (422, "application/problem+json", PROBLEM % b"", "names no field"),
        (422, "application/problem+json", PROBLEM % b',"errors":[{"detail":"zqx"}]', "repeats what was sent"),
        (404, "application/problem+json", PROBLEM % b"", "not itself"),
        (422, "application/problem+json", PROBLEM.replace(b'"d"', b'"asyncpg.DataError"') % b"", "tells of the inside"),
    ],
)
async def test_the_oracle_finds_what_it_is_there_for(
    running: City, foreign: Village, status: int, media_type: str, body: bytes, said: str
) -> None:
    request, good = await _thread(running, foreign)
    oracle = Oracle(running.documents)
    assert oracle.judge(request, good) == []

    headers = [(n, v) for n, v in good.headers if n != b"content-type"] + [(b"content-type", media_type.encode())]
    found = oracle.judge(request, replace(good, status=status, headers=headers, body=body, _json=[]))

    assert any(said in problem for problem in found), found


async def test_the_oracle_finds_words_of_a_community_that_must_not_be_seen(running: City, foreign: Village) -> None:
    request, seen = await _thread(running, foreign)

    assert any("must not see" in problem for problem in Oracle(running.documents).judge(request, seen, [foreign]))
