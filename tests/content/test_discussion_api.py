"""Replies, comments and the accepted answer over HTTP."""

from __future__ import annotations

from uuid import uuid4

from tests.content.town import QUESTION, Json, Place, Town


async def asked(town: Town, *joining: str, moderator: str | None = None) -> tuple[Place, Json]:
    place = await town.found("bob", "carol", *joining, moderator=moderator)
    return place, await town.ask(place)


async def test_replies_stand_in_the_order_they_came(town: Town) -> None:
    place, thread = await asked(town)
    replies = [await town.reply(place, thread, who, f"Number {n}.") for n, who in enumerate(("carol", "bob", "alice"))]
    path = f"{place.path}/threads/{thread['id']}"
    first = await town.look("dora", f"{path}/replies?limit=2")
    second = await town.look("dora", f"{path}/replies?limit=2&cursor={first['next']}")

    assert first["items"] + second["items"] == replies
    assert second["next"] is None
    assert (await town.look("dora", f"{place.path}/threads"))["items"][0]["replies"] == 3
    assert (await town.send("dora", "GET", path, 200))["replies"] == 3


async def test_a_reply_with_a_key_is_posted_once(town: Town) -> None:
    place, thread = await asked(town)
    path = f"{place.path}/threads/{thread['id']}/replies"
    first = await town.send("carol", "POST", path, 201, {"body": "In winter."}, idempotency_key="k")
    assert await town.send("carol", "POST", path, 201, {"body": "In winter."}, idempotency_key="k") == first
    await town.send("carol", "POST", path, 422, {"body": "In summer."}, idempotency_key="k")
    assert len((await town.look("carol", path))["items"]) == 1


async def test_a_reply_is_edited_by_its_author_and_by_moderators(town: Town) -> None:
    place, thread = await asked(town, "mo", moderator="mo")
    reply = await town.reply(place, thread, "carol")
    path = f"{place.path}/replies/{reply['id']}"
    edited = await town.send("carol", "PATCH", path, 200, {"body": "In early spring."})

    assert (edited["body"], edited["posted_at"]) == ("In early spring.", reply["posted_at"])
    assert edited["edited_at"] > reply["posted_at"]
    assert await town.send("carol", "PATCH", path, 200, {"body": "In early spring."}) == edited
    await town.send("bob", "PATCH", path, 403, {"body": "Mine."})
    moderated = await town.send("mo", "PATCH", path, 200, {"body": "(moderated)"})
    assert (await town.look("bob", f"{place.path}/threads/{thread['id']}/replies"))["items"] == [moderated]


async def test_a_deleted_reply_leaves_the_list_and_shows_no_words(town: Town) -> None:
    place, thread = await asked(town)
    reply = await town.reply(place, thread, "carol")
    path = f"{place.path}/replies/{reply['id']}"
    await town.send("bob", "DELETE", path, 403)
    await town.send("carol", "DELETE", path, 204)
    await town.send("carol", "DELETE", path, 204)

    assert (await town.look("bob", f"{place.path}/threads/{thread['id']}/replies"))["items"] == []
    assert (await town.look("bob", f"{place.path}/threads"))["items"][0]["replies"] == 0
    shown = await town.send("bob", "GET", path, 200)
    assert (shown["deleted"], shown["body"]) == (True, None)
    await town.send("carol", "PATCH", path, 409, {"body": "Back."})
    await town.send("carol", "POST", f"{path}/comments", 409, {"body": "Late."})


async def test_comments_stand_on_the_thread_and_on_its_replies(town: Town) -> None:
    place, thread = await asked(town)
    reply = await town.reply(place, thread, "carol")
    threads, replies = f"{place.path}/threads/{thread['id']}", f"{place.path}/replies/{reply['id']}"
    on_thread = await town.made("carol", f"{threads}/comments", {"body": "Which roses?"})
    on_reply = await town.made("bob", f"{replies}/comments", {"body": "Thanks!"})

    assert (on_thread["target_kind"], on_thread["target_id"]) == ("thread", thread["id"])
    assert (on_reply["target_kind"], on_reply["target_id"]) == ("reply", reply["id"])
    assert on_reply["thread_id"] == thread["id"]
    assert (await town.look("bob", f"{threads}/comments"))["items"] == [on_thread]
    assert (await town.look("bob", f"{replies}/comments"))["items"] == [on_reply]
    assert (await town.look("bob", f"{threads}/replies"))["items"][0]["comments"] == 1
    assert (await town.send("bob", "GET", threads, 200))["comments"] == 1


async def test_a_comment_is_edited_and_deleted_by_its_author(town: Town) -> None:
    place, thread = await asked(town)
    comments = f"{place.path}/threads/{thread['id']}/comments"
    comment = await town.send("carol", "POST", comments, 201, {"body": "Which?"}, idempotency_key="k")
    assert await town.send("carol", "POST", comments, 201, {"body": "Which?"}, idempotency_key="k") == comment
    await town.send("carol", "POST", comments, 422, {"body": "What??"}, idempotency_key="k")
    path = f"{place.path}/comments/{comment['id']}"
    edited = await town.send("carol", "PATCH", path, 200, {"body": "Which roses?"})
    await town.send("bob", "DELETE", path, 403)

    assert await town.send("bob", "GET", path, 200) == edited
    await town.send("carol", "DELETE", path, 204)
    shown = await town.send("bob", "GET", path, 200)
    assert (shown["deleted"], shown["body"]) == (True, None)
    assert (await town.look("bob", comments))["items"] == []
    assert (await town.send("bob", "GET", f"{place.path}/threads/{thread['id']}", 200))["comments"] == 0


async def test_the_asker_accepts_one_answer_and_changes_their_mind(town: Town) -> None:
    place, thread = await asked(town)
    first, second = await town.reply(place, thread, "carol"), await town.reply(place, thread, "alice", "In March.")
    path = f"{place.path}/threads/{thread['id']}"
    await town.send("carol", "PUT", f"{path}/accepted-answer", 403, {"reply_id": first["id"]})
    await town.send("bob", "PUT", f"{path}/accepted-answer", 204, {"reply_id": first["id"]})
    await town.send("bob", "PUT", f"{path}/accepted-answer", 204, {"reply_id": first["id"]})
    await town.send("bob", "PUT", f"{path}/accepted-answer", 204, {"reply_id": second["id"]})

    assert (await town.send("dora", "GET", path, 200))["accepted_reply_id"] == second["id"]
    assert (await town.by("dora").get(path)).headers["etag"].startswith('"4-')
    replies = (await town.look("dora", f"{path}/replies"))["items"]
    assert [(reply["id"], reply["accepted"]) for reply in replies] == [(first["id"], False), (second["id"], True)]
    assert (await town.look("dora", f"{place.path}/threads"))["items"][0]["accepted_reply_id"] == second["id"]
    await town.send("bob", "DELETE", f"{path}/accepted-answer", 204)
    await town.send("bob", "DELETE", f"{path}/accepted-answer", 204)
    assert (await town.send("dora", "GET", path, 200))["accepted_reply_id"] is None


async def test_only_what_stands_in_the_thread_is_accepted(town: Town) -> None:
    place, thread = await asked(town)
    elsewhere = await town.reply(place, await town.ask(place), "carol")
    deleted = await town.reply(place, thread, "carol")
    await town.send("carol", "DELETE", f"{place.path}/replies/{deleted['id']}", 204)
    path = f"{place.path}/threads/{thread['id']}/accepted-answer"
    for reply, status in [(elsewhere["id"], 404), (str(uuid4()), 404), (deleted["id"], 409)]:
        await town.send("bob", "PUT", path, status, {"reply_id": reply})


async def test_an_accepted_answer_that_is_deleted_is_accepted_no_more(town: Town) -> None:
    place, thread = await asked(town)
    reply = await town.reply(place, thread, "carol")
    path = f"{place.path}/threads/{thread['id']}"
    await town.send("bob", "PUT", f"{path}/accepted-answer", 204, {"reply_id": reply["id"]})
    await town.send("carol", "DELETE", f"{place.path}/replies/{reply['id']}", 204)
    assert (await town.send("bob", "GET", path, 200))["accepted_reply_id"] is None


async def test_a_deleted_thread_stays_away_when_its_accepted_answer_is_deleted_later(town: Town) -> None:
    place, thread = await asked(town)
    reply = await town.reply(place, thread, "carol")
    path = f"{place.path}/threads/{thread['id']}"
    await town.send("bob", "PUT", f"{path}/accepted-answer", 204, {"reply_id": reply["id"]})
    await town.send("bob", "DELETE", path, 204)
    await town.send("carol", "DELETE", f"{place.path}/replies/{reply['id']}", 204)
    assert (await town.look("bob", f"{place.path}/threads"))["items"] == []


async def test_what_was_made_is_found_where_the_answer_says(town: Town) -> None:
    place, thread = await asked(town)
    threads = f"{place.path}/threads"
    made: list[tuple[str, Json]] = [
        (f"{place.path}/channels", {"name": "News"}),
        (threads, {**QUESTION, "channel_id": place.channel}),
        (f"{threads}/{thread['id']}/replies", {"body": "In late winter."}),
        (f"{threads}/{thread['id']}/comments", {"body": "Which roses?"}),
    ]
    for path, body in made:
        answer = await town.by("alice").post(path, json=body)
        found = await town.by("alice").get(answer.headers["location"])
        assert (answer.status_code, found.status_code, found.json()) == (201, 200, answer.json())
        assert found.headers["etag"] == answer.headers["etag"] == '"1"'


async def test_what_stands_in_another_community_is_not_there(town: Town) -> None:
    place, thread = await asked(town)
    ours = await town.found("bob")
    reply = await town.reply(place, thread, "carol")
    comment = await town.made("carol", f"{place.path}/replies/{reply['id']}/comments", {"body": "Hm."})
    for kind, found in (("replies", reply), ("comments", comment)):
        path = f"{ours.path}/{kind}/{found['id']}"
        await town.send("alice", "GET", path, 404)
        await town.send("alice", "PATCH", path, 404, {"body": "Ours."})
        await town.send("alice", "DELETE", path, 404)
    await town.send("alice", "GET", f"{ours.path}/replies/{reply['id']}/comments", 404)
    await town.send("alice", "POST", f"{ours.path}/replies/{reply['id']}/comments", 404, {"body": "Ours."})
