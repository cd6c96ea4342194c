"""A page has a megabyte of words at most, whatever is asked for; the following pages have the rest."""

from __future__ import annotations

from itertools import pairwise

import pytest

from services.content.bodies import BODY
from shared.web.paging import MOST_WORDS
from tests.content.test_backfill_api import CHANNEL, REPLY, THREAD, community
from tests.content.town import Json, Place, Town

SIXFOLD = "a" + "\x01" * (BODY - 1)
"""Words of which JSON makes six times as much."""
SLACK = 100_000
"""Of a page: what is not words."""


async def pages(town: Town, path: str) -> list[list[Json]]:
    """Every page of a list whose items are asked for 200 at a time; none is larger than it may be."""
    found: list[list[Json]] = []
    await town.look("alice", path)
    following: str | None = f"{path}?limit=200"
    while following is not None:
        answer = await town.by("alice").get(following)
        head = await town.by("alice").head(following)
        assert answer.status_code == head.status_code == 200
        assert len(answer.content) <= MOST_WORDS + SLACK
        assert ("next" in answer.links) == ("next" in head.links) == (answer.json()["next"] is not None)
        found.append(answer.json()["items"])
        following = answer.links["next"]["url"] if "next" in answer.links else None
    return found


@pytest.mark.parametrize("which", ["threads", "replies", "comments", "comments on a reply"])
async def test_long_words_make_short_pages_and_none_is_lost(town: Town, which: str) -> None:
    place = await town.found("bob", "carol")
    thread = await town.ask(place)
    of_thread = f"{place.path}/threads/{thread['id']}"
    reply = await town.reply(place, thread)
    path, more = {
        "threads": (f"{place.path}/threads", {"title": "Long", "channel_id": place.channel}),
        "replies": (f"{of_thread}/replies", {}),
        "comments": (f"{of_thread}/comments", {}),
        "comments on a reply": (f"{place.path}/replies/{reply['id']}/comments", {}),
    }[which]
    made = [(await town.made("bob", path, {**more, "body": SIXFOLD}))["id"] for _ in range(12)]
    cut = await pages(town, path)
    assert len(cut) >= 3
    assert sorted(made) == sorted(item["id"] for page in cut for item in page if item["body"] == SIXFOLD)


async def test_short_words_make_pages_of_as_many_as_were_asked_for(town: Town) -> None:
    place = await town.found("bob", "carol")
    thread = await town.ask(place)
    for n in range(30):
        await town.reply(place, thread, body=f"{n}: in late winter.")
    assert [len(page) for page in await pages(town, f"{place.path}/threads/{thread['id']}/replies")] == [30]


async def test_what_was_brought_in_longer_makes_shorter_pages(town: Town) -> None:
    path = await community(town)
    lines = [REPLY | {"source": f"long:{n}", "body": "a" * 150_000} for n in range(8)]
    answers = await town.backfill(path, CHANNEL, THREAD, *lines)
    assert [len(page) for page in await pages(town, f"{path}/threads/{answers[1]['id']}/replies")] == [6, 2]


async def test_channels_have_words_in_their_rows(town: Town) -> None:
    place: Place = await town.found()
    for n in range(180):
        await town.made("alice", f"{place.path}/channels", {"name": f"Long {n}", "purpose": "a" + "\x01" * 999})
    cut = await pages(town, f"{place.path}/channels")
    assert sum(len(page) for page in cut) == 181
    assert len(cut) == 2
    assert all(a[-1]["opened_at"] <= b[0]["opened_at"] for a, b in pairwise(cut))
