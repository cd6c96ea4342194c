"""The list of threads over HTTP: by channel, tag and author, newest or most recently active, page by page."""

from __future__ import annotations

import asyncio

import pytest

from tests.content.town import Json, Town


def ids(listing: Json) -> list[str]:
    return [item["id"] for item in listing["items"]]


async def test_threads_are_listed_newest_first_with_their_words(town: Town) -> None:
    place = await town.found("bob")
    threads = [await town.ask(place, title=f"Question {n}") for n in range(3)]
    assert (await town.look("dora", f"{place.path}/threads"))["items"] == threads[::-1]


async def test_a_reply_or_comment_makes_a_thread_the_most_active_and_an_edit_does_not(town: Town) -> None:
    place = await town.found("bob", "carol")
    first, second, third = [await town.ask(place, title=f"Question {n}") for n in range(3)]
    reply = await town.reply(place, first)
    await town.made("carol", f"{place.path}/threads/{second['id']}/comments", {"body": "Hm."})
    await town.send("bob", "PATCH", f"{place.path}/threads/{third['id']}", 200, {"title": "Edited"})
    path = f"{place.path}/threads?sort=active"

    listing = await town.look("dora", path)
    assert ids(listing) == [second["id"], first["id"], third["id"]]
    assert listing["items"][1]["active_at"] == reply["posted_at"]
    await town.made("bob", f"{place.path}/replies/{reply['id']}/comments", {"body": "Thanks."})
    assert ids(await town.look("dora", path))[0] == first["id"]


async def test_threads_are_found_by_channel_author_and_tag(town: Town) -> None:
    place = await town.found("bob", "carol")
    other = await town.made("alice", f"{place.path}/channels", {"name": "Other"})
    roses = await town.ask(place, "bob", tags=["roses", "soil"])
    soil = await town.ask(place, "carol", tags=["soil"])
    elsewhere = await town.ask(place, "carol", channel_id=other["id"], tags=[])

    async def found(query: str, by: str = "dora") -> list[str]:
        return ids(await town.look(by, f"{place.path}/threads?{query}"))

    assert await found(f"channel={other['id']}") == [elsewhere["id"]]
    assert await found(f"author={soil['author_id']}") == [elsewhere["id"], soil["id"]]
    assert await found("author=me", "bob") == [roses["id"]]
    assert await found("tag=SOIL&sort=active") == [soil["id"], roses["id"]]
    assert await found(f"tag=soil&author={roses['author_id']}&channel={place.channel}") == [roses["id"]]
    assert await found("tag=nothing") == []


@pytest.mark.parametrize("query", ["tag=two%20words", "tag=%20", "sort=best", "author=bob", "channel=x", "limit=0"])
async def test_a_filter_that_means_nothing_is_refused(town: Town, query: str) -> None:
    place = await town.found()
    problem = await town.send("alice", "GET", f"{place.path}/threads?{query}", 422)
    assert problem["errors"][0]["parameter"].startswith(query.partition("=")[0])


@pytest.mark.parametrize("sort", ["newest", "active"])
async def test_every_thread_is_on_exactly_one_page(town: Town, sort: str) -> None:
    place = await town.found("bob")
    threads = [(await town.ask(place, title=f"Question {n}"))["id"] for n in range(5)]
    seen, cursor = [], ""
    while True:
        listing = await town.look("bob", f"{place.path}/threads?sort={sort}&limit=2{cursor}")
        seen += ids(listing)
        if listing["next"] is None:
            break
        cursor = f"&cursor={listing['next']}"
    assert seen == threads[::-1]


async def test_deleted_threads_are_left_out_and_their_tags_counted_off(town: Town) -> None:
    place = await town.found("bob")
    kept = await town.ask(place, tags=["soil", "roses"])
    gone = await town.ask(place, tags=["soil", "water"])
    assert (await town.look("bob", f"{place.path}/tags"))["items"] == [
        {"tag": "soil", "threads": 2},
        {"tag": "water", "threads": 1},
        {"tag": "roses", "threads": 1},
    ]
    await town.send("bob", "DELETE", f"{place.path}/threads/{gone['id']}", 204)
    await town.send("bob", "PATCH", f"{place.path}/threads/{kept['id']}", 200, {"tags": ["soil", "trees"]})

    assert ids(await town.look("bob", f"{place.path}/threads")) == [kept["id"]]
    assert ids(await town.look("bob", f"{place.path}/threads?tag=roses")) == []
    assert ids(await town.look("bob", f"{place.path}/threads?tag=trees")) == [kept["id"]]
    assert (await town.look("bob", f"{place.path}/tags"))["items"] == [
        {"tag": "trees", "threads": 1},
        {"tag": "soil", "threads": 1},
    ]
    assert (await town.look("bob", f"{place.path}/channels"))["items"][0]["threads"] == 1


async def test_lists_hold_what_stands_in_their_own_community(town: Town) -> None:
    place, other = await town.found("bob"), await town.found("bob")
    await town.ask(place)
    for name in ("threads", "tags"):
        assert (await town.look("bob", f"{other.path}/{name}"))["items"] == []


async def test_a_community_for_members_shows_its_threads_to_nobody_else(town: Town) -> None:
    place = await town.found("bob", visibility="members")
    thread = await town.ask(place)
    for path in ("threads", f"threads/{thread['id']}", "channels", "tags"):
        await town.send("dora", "GET", f"{place.path}/{path}", 404)


async def test_more_readers_at_once_than_connections_are_all_answered(town: Town) -> None:
    place = await town.found("bob")
    thread = await town.ask(place)
    one = await town.look("dora", f"{place.path}/threads")
    lists = await asyncio.gather(*(town.look("dora", f"{place.path}/threads") for _ in range(40)))
    assert [ids(answer) for answer in lists] == [ids(one)] * 40 == [[thread["id"]]] * 40
