"""Threads over HTTP: opened, read with their words, edited and deleted; nothing reaches another community's."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.content.town import QUESTION, Town


async def test_a_member_opens_a_thread_and_everybody_reads_it_at_once(town: Town) -> None:
    place = await town.found("bob")
    thread = await town.ask(place, tags=["Roses", "pruning", "ROSES"])
    answer = await town.by("dora").get(f"{place.path}/threads/{thread['id']}")

    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, thread, '"1"')
    assert (thread["title"], thread["body"]) == (QUESTION["title"], QUESTION["body"])
    assert thread["tags"] == ["roses", "pruning"]
    assert (thread["replies"], thread["comments"], thread["deleted"]) == (0, 0, False)
    assert thread["opened_at"] == thread["active_at"]
    assert (thread["edited_at"], thread["accepted_reply_id"]) == (None, None)


async def test_outsiders_open_no_threads(town: Town) -> None:
    place = await town.found()
    await town.send("dora", "POST", f"{place.path}/threads", 403, {**QUESTION, "channel_id": place.channel})


async def test_a_thread_opens_in_a_channel_that_is_there(town: Town) -> None:
    place = await town.found("bob")
    await town.send("bob", "POST", f"{place.path}/threads", 404, {**QUESTION, "channel_id": str(uuid4())})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "  "),
        ("title", "x" * 301),
        ("title", "\u200b\u3164"),
        ("title", "Roses\u202e!"),
        ("title", "Roses\nand soil"),
        ("body", "x" * 30_001),
        ("body", "a\u0000b"),
        ("body", " \n\u200b\n"),
        ("tags", ["two words"]),
        ("tags", [f"t{n}" for n in range(11)]),
        ("tags", ["x" * 51]),
        ("tags", ["zero\u200bwidth"]),
        ("tags", ["pаypal"]),
        ("unknown", 1),
    ],
)
async def test_what_breaks_the_rules_is_refused_with_the_field_at_fault(town: Town, field: str, value: object) -> None:
    place = await town.found("bob")
    body = {**QUESTION, "channel_id": place.channel, field: value}
    problem = await town.send("bob", "POST", f"{place.path}/threads", 422, body)
    assert problem["errors"][0]["pointer"].startswith(f"/{field}")


async def test_a_tag_that_breaks_the_rules_is_named_by_its_place_with_the_rule_alone(town: Town) -> None:
    place = await town.found("bob")
    body = {**QUESTION, "channel_id": place.channel, "tags": ["roses", "two words"]}
    problem = await town.send("bob", "POST", f"{place.path}/threads", 422, body)
    rule = (
        "U+0020 SPACE cannot stand in a tag: it holds letters and digits of living scripts, the signs - _ . + # and, "
        "between letters, ' : · ֊ ״ ‧ ゠ ・"
    )
    assert problem["errors"] == [{"pointer": "/tags/1", "detail": rule}]
    assert problem["detail"].endswith(f": {rule}.")


async def test_a_thread_with_a_key_is_opened_once_even_after_an_edit(town: Town) -> None:
    place = await town.found("bob")
    path, body = f"{place.path}/threads", {**QUESTION, "channel_id": place.channel}
    first = await town.send("bob", "POST", path, 201, body, idempotency_key="k")
    await town.send("bob", "PATCH", f"{path}/{first['id']}", 200, {"title": "When to cut roses?"})
    again = await town.send("bob", "POST", path, 201, body, idempotency_key="k")

    assert again == first
    same_length = {**body, "body": str(QUESTION["body"]).swapcase()}
    await town.send("bob", "POST", path, 422, same_length, idempotency_key="k")
    await town.send("bob", "POST", path, 422, {**body, "body": "Other."}, idempotency_key="k")


async def test_its_author_edits_a_part_and_the_rest_stays(town: Town) -> None:
    place = await town.found("bob", "carol", "mo", moderator="mo")
    thread = await town.ask(place)
    path = f"{place.path}/threads/{thread['id']}"
    retitled = await town.send("bob", "PATCH", path, 200, {"title": "When to cut roses?"})
    retagged = await town.send("mo", "PATCH", path, 200, {"tags": ["soil"]})

    assert (retitled["title"], retitled["body"], retitled["tags"]) == ("When to cut roses?", thread["body"], ["roses"])
    assert (retagged["title"], retagged["tags"]) == ("When to cut roses?", ["soil"])
    assert retagged["edited_at"] >= retitled["edited_at"] > thread["opened_at"]
    await town.send("carol", "PATCH", path, 403, {"title": "Mine"})


async def test_an_edit_with_the_same_words_writes_nothing(town: Town) -> None:
    place = await town.found("bob")
    thread = await town.ask(place)
    path = f"{place.path}/threads/{thread['id']}"
    for same in ({}, {"title": thread["title"]}, {"body": thread["body"], "tags": ["ROSES"]}):
        assert await town.send("bob", "PATCH", path, 200, same) == thread
    assert (await town.by("bob").get(path)).headers["etag"] == '"1"'


async def test_an_edit_repeated_with_its_key_does_not_undo_a_later_one(town: Town) -> None:
    place = await town.found("bob")
    path = f"{place.path}/threads/{(await town.ask(place))['id']}"
    mine = {"title": "First edit", "tags": ["first"]}
    first = await town.send("bob", "PATCH", path, 200, mine, idempotency_key="e1", if_match='"1"')
    await town.send("bob", "PATCH", path, 422, {"title": "Another edit"}, idempotency_key="e1")
    later = await town.send("bob", "PATCH", path, 200, {"title": "Second edit", "tags": ["second"]})
    assert await town.send("bob", "PATCH", path, 200, mine, idempotency_key="e1", if_match='"1"') == first
    assert await town.look("bob", path) == later


async def test_an_edit_of_what_has_changed_since_is_refused(town: Town) -> None:
    place = await town.found("bob")
    path = f"{place.path}/threads/{(await town.ask(place))['id']}"
    await town.send("bob", "PATCH", path, 200, {"title": "Other"}, if_match='"1"')
    await town.send("bob", "PATCH", path, 412, {"title": "Another"}, if_match='"1"')


async def test_a_deleted_thread_keeps_its_place_and_shows_no_words(town: Town) -> None:
    place = await town.found("bob", "carol")
    thread = await town.ask(place)
    path = f"{place.path}/threads/{thread['id']}"
    await town.send("carol", "DELETE", path, 403)
    await town.send("bob", "DELETE", path, 204)
    await town.send("bob", "DELETE", path, 204)
    shown = await town.send("carol", "GET", path, 200)

    assert (shown["deleted"], shown["title"], shown["body"], shown["tags"]) == (True, None, None, [])
    assert (shown["id"], shown["author_id"]) == (thread["id"], thread["author_id"])
    await town.send("bob", "PATCH", path, 409, {"title": "Back"})
    await town.send("carol", "POST", f"{path}/replies", 409, {"body": "Late."})
    await town.send("carol", "POST", f"{path}/comments", 409, {"body": "Late."})


async def test_a_thread_of_another_community_is_not_there(town: Town) -> None:
    theirs, ours = await town.found("bob"), await town.found("bob")
    thread = await town.ask(theirs)
    path = f"{ours.path}/threads/{thread['id']}"
    await town.send("alice", "GET", path, 404)
    await town.send("alice", "PATCH", path, 404, {"title": "Ours"})
    await town.send("alice", "DELETE", path, 404)
    await town.send("alice", "GET", f"{path}/replies", 404)
    await town.send("alice", "POST", f"{path}/replies", 404, {"body": "Hello."})
    await town.send("alice", "POST", f"{path}/comments", 404, {"body": "Hello."})
    await town.send("alice", "DELETE", f"{path}/accepted-answer", 404)
    await town.send("alice", "POST", f"{ours.path}/threads", 404, {**QUESTION, "channel_id": theirs.channel})


async def test_an_id_of_something_else_is_no_thread(town: Town) -> None:
    place = await town.found("bob")
    reply = await town.reply(place, await town.ask(place), "bob")
    await town.send("bob", "GET", f"{place.path}/threads/{place.channel}", 404)
    await town.send("bob", "GET", f"{place.path}/threads/{reply['id']}", 404)
