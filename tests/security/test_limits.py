"""What a request may cost: everything is bounded, compressed bodies are refused, and the worst are answered quickly.

Correctness is tested here, and that nothing costs out of all proportion; the figures are printed by `make abuse`.
"""

from __future__ import annotations

from statistics import median

import pytest

from tests.city.asking import Request
from tests.city.city import City
from tests.city.village import Village
from tests.security.costs import cost
from tests.security.worst import WORST, Worst

TOO_MUCH = 250
"""Times the processor time of a plain request that no request takes; the worst takes about sixty. No bound in seconds:
a slow machine, or coverage, makes both slower.
"""

PLAIN = Worst("a list", lambda village: village.request("author", "content", "GET", "/threads"), 200)


@pytest.fixture(scope="module")
async def village(town: City) -> Village:
    return await Village(town, "limits").settle()


@pytest.mark.parametrize("worst", WORST, ids=lambda worst: worst.name)
async def test_a_request_made_to_cost_much_gets_its_answer_and_costs_little(village: Village, worst: Worst) -> None:
    before = [(await cost(village, PLAIN)).seconds for _ in range(3)]
    spent = await cost(village, worst)
    after = [(await cost(village, PLAIN)).seconds for _ in range(3)]

    assert spent.answer.status == worst.status, spent.answer.body[:300]
    assert spent.seconds < TOO_MUCH * median(before + after)
    assert len(spent.answer.body) < 20_000 or worst.status == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "compress", "GZIP", "gzip, identity", "x"])
async def test_a_compressed_body_is_refused_in_plain_words(village: Village, encoding: str) -> None:
    for service, path in (("content", "/threads"), ("content", "/content/backfill")):
        answer = await village.ask("owner", service, "POST", path, {}, content_encoding=encoding)

        assert answer.status == 415
        assert answer.json()["detail"] == "Send the body without Content-Encoding."


async def test_a_body_is_bounded_whatever_its_length_says(village: Village) -> None:
    bare = village.request("author", "content", "POST", "/threads", {})
    for length in (b"10", b"", b"abc", b"-1", b"9" * 50):
        request = Request(
            "content", "POST", bare.target, [*bare.headers, (b"content-length", length)], b" " * 1_000_001, 7
        )
        assert (await village.city.ask(request)).status == 413
