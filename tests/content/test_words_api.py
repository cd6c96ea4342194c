"""Words over HTTP and in backfills: bodies as they were sent, names that show, one word one tag."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.content.test_backfill_api import line
from tests.content.town import QUESTION, Place, Town

CODE = "    if roses:\n\tprune()  \n\n\n    else:\r\n\ufeffe\u0301"
"""A Markdown code block, tabs, spaces that break a line, empty lines, a byte order mark, letters in parts."""


async def test_bodies_come_back_as_they_were_sent_but_for_line_ends_at_their_end(town: Town) -> None:
    place = await town.found("bob")
    thread = await town.ask(place, body=f"{CODE}\r\n\n")
    path = f"{place.path}/threads/{thread['id']}"
    reply = await town.made("bob", f"{path}/replies", {"body": f"{CODE}\n"})
    comment = await town.made("bob", f"{place.path}/replies/{reply['id']}/comments", {"body": CODE})

    assert thread["body"] == reply["body"] == comment["body"] == CODE
    for shown in (path, f"{place.path}/replies/{reply['id']}", f"{place.path}/comments/{comment['id']}"):
        assert (await town.send("bob", "PATCH", shown, 200, {"body": f"{CODE}\n\n"}))["edited_at"] is None
        assert (await town.send("bob", "PATCH", shown, 200, {"body": f"  {CODE}"}))["body"] == f"  {CODE}"
        for blank in ("   ", "\n\n", "\u200b", "\u2800\t"):
            problem = await town.send("bob", "PATCH", shown, 422, {"body": blank})
            told = {"pointer": "/body", "detail": "The text must have at least one character that shows"}
            assert told in problem["errors"]


async def test_a_repetition_says_the_same_in_whatever_order(town: Town) -> None:
    place = await town.found("bob")
    path, body = f"{place.path}/threads", {**QUESTION, "channel_id": place.channel, "body": CODE, "tags": ["straße"]}
    first = await town.send("bob", "POST", path, 201, body, idempotency_key="k")
    assert await town.send("bob", "POST", path, 201, dict(reversed(body.items())), idempotency_key="k") == first
    for other in ({"body": CODE.lstrip()}, {"tags": ["STRASSE"]}):
        await town.send("bob", "POST", path, 422, {**body, **other}, idempotency_key="k")


async def test_a_title_and_a_channel_are_named_with_what_shows(town: Town) -> None:
    place = await town.found("bob")
    assert (await town.ask(place, title="\u200f Cafe\u0301  au lait \u200b"))["title"] == "Café  au lait"
    for wrong, character in [("a\x1b[31m", "U+001B"), ("a\u202eb", "U+202E"), ("Ro\u200bses", "U+200B")]:
        for method, path in [
            ("POST", f"{place.path}/channels"),
            ("PATCH", f"{place.path}/channels/{place.channel}"),
        ]:
            problem = await town.send("alice", method, path, 422, {"name": wrong})
            (error,) = problem["errors"]
            assert error["pointer"] == "/name"
            assert error["detail"].startswith(character)
    purpose = "  Everything\n\n- that grows  "
    opened = await town.made("alice", f"{place.path}/channels", {"name": "Все", "purpose": f"{purpose}\n"})
    assert (opened["name"], opened["purpose"]) == ("Все", purpose)
    await town.send("alice", "POST", f"{place.path}/channels", 422, {"name": "a", "purpose": "\u3164"})


@pytest.mark.parametrize(
    ("tag", "asked"),
    [
        ("برنامه\u200cنویسی", "برنامه\u200cنویسی"),
        ("col·lecció", "COL·LECCIÓ"),
        ("תנ״ך", 'תנ"ך'),
        ("リバース・エンジニアリング", "ﾘﾊﾞｰｽ･ｴﾝｼﾞﾆｱﾘﾝｸﾞ"),
        ("İstanbul", "istanbul"),
        ("istanbul", "İSTANBUL"),
        ("Straße", "STRASSE"),
        ("ΛΌΓΟΣ", "λόγος"),
        ("c++", "C++"),
    ],
)
async def test_threads_are_found_by_their_tag_in_any_spelling(town: Town, tag: str, asked: str) -> None:
    place = await town.found("bob")
    thread = await town.ask(place, tags=[tag, asked])
    assert len(thread["tags"]) == 1
    found = await town.look("bob", f"{place.path}/threads?tag={quote(asked)}")
    assert [item["id"] for item in found["items"]] == [thread["id"]]
    (listed,) = (await town.look("bob", f"{place.path}/tags"))["items"]
    assert (listed["tag"], listed["threads"]) == (thread["tags"][0], 1)


async def test_a_filter_that_can_be_no_tag_is_refused_with_its_character(town: Town) -> None:
    place = await town.found("bob")
    problem = await town.send("bob", "GET", f"{place.path}/threads?tag={quote('a/b')}", 422)
    (error,) = problem["errors"]
    assert (error["parameter"], error["in"]) == ("tag", "query")
    assert error["detail"].startswith("U+002F SOLIDUS cannot stand in a tag")


async def _brought(town: Town, place: Place, *lines: dict[str, Any]) -> list[dict[str, Any]]:
    answers = await town.backfill(place.path, *lines)
    assert [answer["status"] for answer in answers] == ["applied"] * len(lines), answers
    return answers


async def test_names_that_are_brought_in_lose_what_cannot_stand_in_them_and_bodies_lose_nothing(town: Town) -> None:
    place = await town.found("bob")
    channel, nameless, thread, untitled, reply, comment = await _brought(
        town,
        place,
        line("open-channel", "old:c", 1, None, name="Old\u202e\x07 \u200bnews"),
        line("open-channel", "old:n", 1, None, name="\u200b"),
        line("open-thread", "old:1", 2, channel="old:c", title="How\nmany\x1f?", body=f"{CODE}\n", tags=["İstanbul"]),
        line("open-thread", "old:2", 2, channel="old:n", title="\u2800\u3164", body=CODE),
        line("post-reply", "old:3", 3, thread="old:1", body=CODE),
        line("post-comment", "old:4", 4, target="old:3", target_kind="reply", body=CODE),
    )
    path = place.path
    assert (await town.send("bob", "GET", f"{path}/channels/{channel['id']}", 200))["name"] == "Old news"
    assert (await town.send("bob", "GET", f"{path}/channels/{nameless['id']}", 200))["name"] == "old:n"
    shown = await town.send("bob", "GET", f"{path}/threads/{thread['id']}", 200)
    assert (shown["title"], shown["body"], shown["tags"]) == ("How many?", CODE, ["istanbul"])
    assert (await town.send("bob", "GET", f"{path}/threads/{untitled['id']}", 200))["title"] is None
    assert (await town.send("bob", "GET", f"{path}/replies/{reply['id']}", 200))["body"] == CODE
    assert (await town.send("bob", "GET", f"{path}/comments/{comment['id']}", 200))["body"] == CODE


async def test_a_body_of_nothing_that_shows_is_not_brought_in(town: Town) -> None:
    place = await town.found("bob")
    await _brought(town, place, line("open-channel", "old:c", 1, None, name="Old"))
    (answer,) = await town.backfill(place.path, line("open-thread", "old:1", 2, channel="old:c", body=" \u200b\n"))
    assert (answer["status"], answer["problem"]["errors"][0]["pointer"]) == ("rejected", "/body")
