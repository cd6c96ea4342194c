"""Who has a good token is one caller wherever they come from; who has none is one with all at their address."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from shared.web import refusal_budget as refusals
from tests.city.asking import Answer, Request
from tests.city.city import City, city
from tests.city.village import Village
from tests.stack import Stack


async def until_turned_away(town: City, request: Request) -> Answer:
    for _ in range(300):
        answer = await town.ask(request)
        if answer.status == 429:
            return answer
    raise AssertionError(f"never turned away, at last with {answer.status}")


async def test_nobody_with_a_token_waits_for_what_is_refused_to_others_at_their_address(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with city(stack, tmp_path, refusal_share=0.0005) as town:
        village = await Village(town, "patient").settle()
        nonsense = village.request("anonymous", "content", "POST", "/threads")
        monkeypatch.setattr(refusals, "HOLD", 0.05)

        answer = await until_turned_away(town, nonsense)
        assert answer.json()["type"] == "urn:guildhall:problem:too-many-requests"
        assert int(answer.header(b"retry-after") or 0) >= 1
        assert answer.header(b"x-request-id")

        began = time.monotonic()
        read = f"/threads/{village.ids['thread'][0]}"
        for who in ("member", "stranger"):  # neither has a token that the service has seen lately, or at all
            assert (await village.ask(who, "content", "GET", read)).status == 200
        assert time.monotonic() - began < 5

        await until_turned_away(town, village.request("member", "content", "POST", "/threads", {"title": 1}))
        assert (await village.ask("stranger", "content", "GET", read)).status == 200
