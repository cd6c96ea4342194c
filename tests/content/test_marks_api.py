"""What is shown, alone and in lists, says who brought it in and who edited it last."""

from __future__ import annotations

from tests.content.test_backfill_api import CHANNEL, COMMENT, ON_THREAD, REPLY, THREAD, community
from tests.content.town import Json, Town


async def _everything(town: Town, path: str, thread: str, reply: str, comment: str) -> list[Json]:
    """Thread, reply and comment, each alone and in its list."""
    lists = [f"{path}/threads", f"{path}/threads/{thread}/replies", f"{path}/replies/{reply}/comments"]
    alone = [f"{path}/threads/{thread}", f"{path}/replies/{reply}", f"{path}/comments/{comment}"]
    return [
        *[(await town.look("dora", each))["items"][0] for each in lists],
        *[await town.send("dora", "GET", each, 200) for each in alone],
    ]


async def test_what_was_brought_in_says_by_whom_and_an_edition_of_it_names_who_brought_it_as_editor(town: Town) -> None:
    path = await community(town)
    alice = (await town.member.by("alice").get(f"{path}/members/me")).json()["id"]
    answers = await town.backfill(path, CHANNEL, THREAD, REPLY, COMMENT, ON_THREAD)
    ids = {answer["source"]: answer["id"] for answer in answers}
    anew = {"body": "Anew.", "edited_at": "2016-01-01T00:00:00Z"}
    edited = await town.backfill(path, THREAD | anew, REPLY | anew, COMMENT | anew)
    assert [answer["status"] for answer in edited] == ["edited"] * 3

    for shown in await _everything(town, path, ids["se:1"], ids["se:2"], ids["se:c1"]):
        assert (shown["imported_by"], shown["edited_by"]) == (alice, alice)
        assert shown["edited_at"] == anew["edited_at"]
    for shown in (
        (await town.look("dora", f"{path}/channels"))["items"][0],
        await town.send("dora", "GET", f"{path}/channels/{ids['se:channel']}", 200),
    ):
        assert shown["imported_by"] == alice


async def test_an_edit_says_who_edited_the_author_or_a_moderator(town: Town) -> None:
    place = await town.found("bob", "carol", "mallory", moderator="mallory")
    path = place.path
    thread = await town.ask(place)
    reply = await town.reply(place, thread, by="bob")
    comment = await town.made("bob", f"{path}/replies/{reply['id']}/comments", {"body": "Also in a mild winter?"})
    ids = {who: (await town.member.by(who).get(f"{path}/members/me")).json()["id"] for who in ("bob", "mallory")}
    assert [made["edited_by"] for made in (thread, reply, comment)] == [None] * 3
    for number, who in enumerate(("mallory", "bob")):
        for kind, made in (("threads", thread), ("replies", reply), ("comments", comment)):
            answer = await town.send(who, "PATCH", f"{path}/{kind}/{made['id']}", 200, {"body": f"Anew {number}."})
            assert answer["edited_by"] == ids[who]
        for shown in await _everything(town, path, thread["id"], reply["id"], comment["id"]):
            assert (shown["author_id"], shown["edited_by"], shown["imported_by"]) == (ids["bob"], ids[who], None)
