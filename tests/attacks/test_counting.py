"""What is done again and again between two counts no more than the rules say: in influence, in activity, in counts.

Attacks 8 and 21.
"""

from __future__ import annotations

import asyncio
from itertools import cycle

import httpx2 as httpx
import pytest

from tests.attacks.target import Place, Target, until

A_PAIR_A_DAY = 40
ROUNDS = 20


async def influence(place: Place, who: str) -> dict[str, float]:
    """As it stands when all services have been heard of."""

    async def settled() -> bool:
        found = await place.must("alice", "GET", "/metrics/activity")
        return bool(found["freshness"]["lag_events"] == 0)

    await asyncio.sleep(0.5)
    await until(settled)
    found: dict[str, float] = await place.must("alice", "GET", f"/metrics/influence/{place.ids[who]}")
    return found


async def actions(place: Place) -> dict[str, int]:
    """By kind, of today."""
    await influence(place, "alice")
    found: dict[str, int] = (await place.must("alice", "GET", "/metrics/activity"))["items"][-1]["actions"]
    return found


async def test_two_accounts_do_not_farm_influence_by_accepting(target: Target) -> None:
    """8: a hundred rounds of accepting and taking back gave 1,500 points; now a pair has 40 a day."""
    place = await target.found("bob")
    thread = await place.thread()
    replies = [await place.reply("bob", thread) for _ in range(2)]
    for _, reply in zip(range(ROUNDS), cycle(replies), strict=False):
        await place.must("alice", "PUT", f"/threads/{thread}/accepted-answer", {"reply_id": reply})
        await place.must("alice", "DELETE", f"/threads/{thread}/accepted-answer")
    await place.must("alice", "PUT", f"/threads/{thread}/accepted-answer", {"reply_id": replies[0]})

    assert (await influence(place, "bob"))["resonance"] <= A_PAIR_A_DAY


async def test_everything_that_one_gives_another_on_a_day_is_forty_points_at_most(target: Target) -> None:
    """8, kin: every kind there is, on every thing there is: acceptances, reactions, replies, comments and shares."""
    place = await target.found("bob")
    channel = await place.channel()
    threads = await asyncio.gather(*(place.thread("bob", channel) for _ in range(4)))
    own = await asyncio.gather(*(place.thread("alice", channel) for _ in range(4)))
    replies = await asyncio.gather(*(place.reply("bob", thread) for thread in own))
    comments = await asyncio.gather(*(place.comment("bob", thread) for thread in own))

    async def give(target_id: str) -> None:
        for kind in ("like", "love", "celebrate"):
            answer = await place.by("alice", "PUT", f"/reactions/{target_id}/{kind}")
            assert answer.status_code in (204, 404, 422), answer.text
        await place.must("alice", "POST", "/shares", {"target_id": target_id, "medium": "chat"})

    await asyncio.gather(*map(give, [*threads, *replies, *comments]))
    for thread in threads:
        await place.reply("alice", thread)
        await place.comment("alice", thread)
    for thread, reply in zip(own, replies, strict=True):
        await place.must("alice", "PUT", f"/threads/{thread}/accepted-answer", {"reply_id": reply})

    found = await influence(place, "bob")
    assert (found["reach"], found["resonance"]) == (1, A_PAIR_A_DAY)


async def test_a_share_a_view_and_a_vote_count_once(target: Target) -> None:
    """21: three hundred shares by one member; by every medium, and told at the same moment, too."""
    place = await target.found("bob")
    thread, suggestion = await place.thread(), await place.suggestion()

    async def tell(number: int) -> httpx.Response:
        medium = ("chat", "mail", "link", "social")[number % 4]
        return await place.by("bob", "POST", "/shares", {"target_id": thread, "medium": medium})

    answers = await asyncio.gather(*map(tell, range(24)))
    assert {answer.status_code for answer in answers} <= {201, 422}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    await asyncio.gather(*(place.by("bob", "PUT", f"/views/{thread}") for _ in range(24)))
    await asyncio.gather(*(place.by("bob", "PUT", f"/suggestions/{suggestion}/votes/me") for _ in range(24)))

    told = await actions(place)
    assert (told["share"], told["vote"]) == (1, 1)
    assert sum((await place.must("bob", "GET", f"/shares?target={thread}"))["counts"].values()) == 1
    assert (await place.must("bob", "GET", f"/views?target={thread}"))["views"] == 1
    assert (await place.must("bob", "GET", f"/suggestions/{suggestion}"))["votes"] == 1


async def test_one_member_has_one_sign_and_one_response_whatever_they_send_at_once(target: Target) -> None:
    """21, kin: every kind of reaction at the same moment, again and again."""
    place = await target.found("bob")
    thread = await place.thread()
    kinds = ("like", "love", "dislike")
    sent = [
        place.by("bob", method, f"/reactions/{thread}/{kind}") for kind in kinds for method in ("PUT", "DELETE", "PUT")
    ]
    await asyncio.gather(*sent, *(place.by("bob", "PUT", f"/reactions/{thread}/{kind}") for kind in kinds))
    await place.must("bob", "PUT", f"/reactions/{thread}/dislike")

    async def settled() -> bool:
        found = await place.must("bob", "GET", f"/reactions?target={thread}")
        return bool(found["counts"] == {"dislike": 1} and found["mine"] == ["dislike"])

    await until(settled)
    assert (await influence(place, "alice"))["resonance"] == -2


@pytest.mark.parametrize("what", ["reaction", "vote", "acceptance"])
async def test_what_is_given_and_taken_back_again_and_again_is_one_action(target: Target, what: str) -> None:
    """21: twenty-five rounds of like and unlike were twenty-five actions."""
    place = await target.found("bob")
    thread, suggestion = await place.thread("bob"), await place.suggestion()
    reply = await place.reply("alice", thread)
    path, body = {
        "reaction": (f"/reactions/{thread}/like", None),
        "vote": (f"/suggestions/{suggestion}/votes/me", None),
        "acceptance": (f"/threads/{thread}/accepted-answer", {"reply_id": reply}),
    }[what]
    who = "bob" if what == "acceptance" else "alice"
    for _ in range(ROUNDS):
        await place.must(who, "PUT", path, body)
        await place.must(who, "DELETE", path)
    await place.must(who, "PUT", path, body)
    assert (await actions(place))[what] == 1
