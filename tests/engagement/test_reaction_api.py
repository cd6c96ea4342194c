"""Reactions over HTTP: given to what stands, counted, taken back, and given again."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from shared.replicas.directory_lookup import BELIEVED
from tests.engagement.town import Town


async def test_a_member_reacts_right_after_the_thread_was_opened(town: Town) -> None:
    place, thread = await town.asked("carol")
    path = f"{place.path}/reactions"
    await town.send("carol", "PUT", f"{path}/{thread['id']}/like", 204)
    seen = await town.look("carol", f"{path}?target={thread['id']}")

    assert (seen["counts"], seen["mine"], seen["next"]) == ({"like": 1}, ["like"], None)
    (reaction,) = seen["items"]
    assert (reaction["kind"], reaction["positive"], reaction["target_id"]) == ("like", True, thread["id"])
    assert seen["freshness"]["lag_events"] == 0


async def test_a_reaction_is_given_once_however_it_is_sent(town: Town) -> None:
    place, thread = await town.asked("carol")
    path = f"{place.path}/reactions"
    body = {"target_id": thread["id"], "kind": "helpful"}
    first = await town.send("carol", "POST", path, 201, body)
    before = await town.events()
    assert await town.send("carol", "POST", path, 201, body) == first
    await town.send("carol", "PUT", f"{path}/{thread['id']}/helpful", 204)

    assert await town.events() == before
    assert (await town.look("bob", f"{path}?target={thread['id']}"))["items"] == [first]


async def test_kinds_are_counted_apart_and_everybody_sees_their_own(town: Town) -> None:
    place, thread = await town.asked("carol")
    path = f"{place.path}/reactions"
    for who, kind in [("carol", "like"), ("carol", "helpful"), ("bob", "dislike")]:
        await town.send(who, "PUT", f"{path}/{thread['id']}/{kind}", 204)

    seen = {who: await town.look(who, f"{path}?target={thread['id']}") for who in ("bob", "carol", "dora")}
    assert seen["dora"]["counts"] == {"dislike": 1, "helpful": 1, "like": 1}
    assert {who: s["mine"] for who, s in seen.items()} == {"bob": ["dislike"], "carol": ["helpful", "like"], "dora": []}
    assert [item["positive"] for item in seen["dora"]["items"]] == [False, True, True]
    page = await town.look("dora", f"{path}?target={thread['id']}&limit=2")
    rest = await town.look("dora", f"{path}?target={thread['id']}&limit=2&cursor={page['next']}")
    assert page["items"] + rest["items"] == seen["dora"]["items"]


async def test_another_sign_takes_the_place_of_what_stood(town: Town) -> None:
    place, thread = await town.asked("carol")
    path, about = f"{place.path}/reactions", f"{place.path}/reactions?target={thread['id']}"
    for kind in ("dislike", "unhelpful", "like", "love"):
        await town.send("carol", "PUT", f"{path}/{thread['id']}/{kind}", 204)
    await town.send("bob", "PUT", f"{path}/{thread['id']}/love", 204)
    seen = await town.look("carol", about)
    assert (seen["counts"], seen["mine"]) == ({"like": 1, "love": 2}, ["like", "love"])
    assert sorted(item["kind"] for item in seen["items"]) == ["like", "love", "love"]

    given = await town.send("carol", "POST", path, 201, {"target_id": thread["id"], "kind": "dislike"})
    seen = await town.look("carol", about)
    assert (seen["counts"], seen["mine"]) == ({"dislike": 1, "love": 1}, ["dislike"])
    assert seen["items"][0] == given
    await town.send("carol", "DELETE", f"{path}/{thread['id']}/like", 204)
    assert (await town.look("carol", about))["counts"] == {"dislike": 1, "love": 1}


async def test_whoever_changes_their_mind_quickly_is_left_with_one_sign(town: Town) -> None:
    place, thread = await town.asked("carol")
    path = f"{place.path}/reactions"
    kinds = ["like", "dislike", "love", "unhelpful", "like", "dislike", "helpful", "dislike"]
    await asyncio.gather(*(town.send("carol", "PUT", f"{path}/{thread['id']}/{kind}", 204) for kind in kinds))
    seen = await town.look("carol", f"{path}?target={thread['id']}")
    assert len({item["positive"] for item in seen["items"]}) == 1
    assert seen["counts"] == {item["kind"]: 1 for item in seen["items"]} == dict.fromkeys(seen["mine"], 1)


async def test_a_reaction_is_taken_back_and_may_be_given_again(town: Town) -> None:
    place, thread = await town.asked("carol")
    path = f"{place.path}/reactions/{thread['id']}/love"
    await town.send("carol", "DELETE", path, 204)
    for _ in range(2):
        await town.send("carol", "PUT", path, 204)
        await town.send("carol", "DELETE", path, 204)
        await town.send("carol", "DELETE", path, 204)
        seen = await town.look("carol", f"{place.path}/reactions?target={thread['id']}")
        assert (seen["counts"], seen["mine"], seen["items"]) == ({}, [], [])


async def test_replies_and_comments_take_reactions_and_so_does_ones_own_work(town: Town) -> None:
    place, thread = await town.asked()
    reply = await town.around.reply(place, thread, "bob")
    comment = await town.around.made("bob", f"{place.path}/replies/{reply['id']}/comments", {"body": "Indeed."})
    for target in (reply, comment):
        await town.send("bob", "PUT", f"{place.path}/reactions/{target['id']}/celebrate", 204)


async def test_nobody_reacts_to_what_was_deleted_or_what_stood_in_it(town: Town) -> None:
    place, thread = await town.asked("carol")
    reply = await town.around.reply(place, thread)
    comment = await town.around.made("bob", f"{place.path}/replies/{reply['id']}/comments", {"body": "Indeed."})
    await town.send("bob", "PUT", f"{place.path}/reactions/{comment['id']}/like", 204)
    await town.send("bob", "POST", f"{place.path}/shares", 201, {"target_id": comment["id"], "medium": "link"})
    await town.send("bob", "PUT", f"{place.path}/views/{comment['id']}", 204)
    await town.around.send("carol", "DELETE", f"{place.path}/replies/{reply['id']}", 204)
    later = await town.around.reply(place, thread, body="Later.")
    await town.send("bob", "PUT", f"{place.path}/reactions/{later['id']}/like", 204)

    for target in (reply, comment):
        await town.send("bob", "PUT", f"{place.path}/reactions/{target['id']}/love", 409)
    about = f"target={comment['id']}"
    seen = await town.look("carol", f"{place.path}/reactions?{about}")
    assert (seen["counts"], seen["mine"], seen["items"]) == ({}, [], []), "who reacted to it is nobody's to read"
    assert (await town.look("carol", f"{place.path}/shares?{about}"))["counts"] == {}
    assert (await town.look("carol", f"{place.path}/views?{about}"))["views"] == 0
    await town.send("bob", "DELETE", f"{place.path}/reactions/{comment['id']}/like", 204)
    assert (await town.look("bob", f"{place.path}/reactions?target={comment['id']}"))["counts"] == {}


async def test_nobody_reacts_to_what_is_not_there_or_is_another_communitys(town: Town) -> None:
    place, thread = await town.asked()
    other = await town.around.found("bob")
    await town.send("bob", "PUT", f"{place.path}/reactions/{uuid4()}/like", 404)
    await town.send("bob", "PUT", f"{other.path}/reactions/{thread['id']}/like", 404)


async def test_outsiders_do_not_react(town: Town) -> None:
    place, thread = await town.asked()
    await town.send("dora", "PUT", f"{place.path}/reactions/{thread['id']}/like", 403)
    await town.send("dora", "DELETE", f"{place.path}/reactions/{thread['id']}/like", 403)


@pytest.mark.parametrize("visibility", ["public", "members"])
async def test_who_has_left_takes_their_reactions_back_and_gives_no_more(town: Town, visibility: str) -> None:
    place = await town.around.found("bob", visibility=visibility)
    thread = await town.around.ask(place)
    path = f"{place.path}/reactions/{thread['id']}"
    for kind in ("like", "love"):
        await town.send("bob", "PUT", f"{path}/{kind}", 204)
    assert (await town.around.member.by("bob").delete(f"{place.path}/members/me")).status_code == 204
    assert (await town.around.member.by("alice").post(f"{place.path}/archive")).status_code == 200
    await asyncio.sleep(BELIEVED + 0.3)
    for _ in range(2):
        await town.send("bob", "DELETE", f"{path}/like", 204)
    await town.send("bob", "PUT", f"{path}/dislike", 403 if visibility == "public" else 404)
    seen = await town.look("alice", f"{place.path}/reactions?target={thread['id']}")
    assert seen["counts"] == {"love": 1}


@pytest.mark.parametrize("kind", ["up", "down", "fancy"])
async def test_a_kind_that_members_do_not_give_is_refused(town: Town, kind: str) -> None:
    place, thread = await town.asked()
    await town.send("bob", "PUT", f"{place.path}/reactions/{thread['id']}/{kind}", 422)
    await town.send("bob", "POST", f"{place.path}/reactions", 422, {"target_id": thread["id"], "kind": kind})


async def test_counts_and_items_of_one_answer_are_of_one_moment(town: Town) -> None:
    place, thread = await town.asked("carol")
    path, kinds = f"{place.path}/reactions", ("like", "dislike")
    await town.send("carol", "PUT", f"{path}/{thread['id']}/like", 204)
    await town.look("carol", f"{path}?target={thread['id']}")

    async def change() -> None:
        for n in range(30):
            await town.send("carol", "PUT", f"{path}/{thread['id']}/{kinds[n % 2]}", 204)

    changing = asyncio.create_task(change())
    while not changing.done():
        seen = (await town.by("carol").get(f"{path}?target={thread['id']}")).json()
        assert seen["counts"] == dict.fromkeys(seen["mine"], 1) == {item["kind"]: 1 for item in seen["items"]}
    await changing
