"""Who has left takes their own words away, edits nothing, and learns of nothing that they may not read any more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import uuid4

import pytest

from shared.replicas.directory_lookup import BELIEVED
from tests.content.town import Json, Place, Town


@dataclass(frozen=True)
class Left:
    """A place that bob was in, with a thread of his and one of alice's, and a reply and a comment of each of them."""

    town: Town
    place: Place
    own: dict[str, Json]
    others: dict[str, Json]

    def path(self, kind: str, thing: Json | str) -> str:
        name = thing if isinstance(thing, str) else thing["id"]
        return f"{self.place.path}/{'replies' if kind == 'reply' else kind + 's'}/{name}"


KINDS = ("comment", "reply", "thread")


async def left(town: Town, visibility: str, how: str) -> Left:
    place = await town.found("bob", visibility=visibility, admission="open")
    made: dict[str, dict[str, Json]] = {}
    for who in ("bob", "alice"):
        thread = await town.ask(place, who)
        reply = await town.reply(place, thread, who)
        comment = await town.made(who, f"{place.path}/replies/{reply['id']}/comments", {"body": "Indeed."})
        made[who] = {"thread": thread, "reply": reply, "comment": comment}
    await town.send("bob", "PUT", f"{place.path}/threads/{made['bob']['thread']['id']}/accepted-answer", 204,
                    {"reply_id": made["bob"]["reply"]["id"]})  # fmt: skip
    members, bob = f"{place.path}/members", town.member.by("bob")
    if how == "removed":
        member = (await bob.get(f"{members}/me")).json()["id"]
        assert (await town.member.by("alice").delete(f"{members}/{member}")).status_code == 204
    else:
        assert (await bob.delete(f"{members}/me")).status_code == 204
    if how == "applicant":
        await town.member.by("alice").patch(place.path, json={"admission": "application"})
        assert (await bob.post(members)).json()["status"] == "applicant"
    if how == "archived":
        assert (await town.member.by("alice").post(f"{place.path}/archive")).status_code == 200
    await asyncio.sleep(BELIEVED + 0.3)
    return Left(town, place, made["bob"], made["alice"])


@pytest.mark.parametrize("visibility", ["public", "members"])
@pytest.mark.parametrize("how", ["left", "removed", "applicant", "archived"])
async def test_who_is_not_here_any_more_takes_their_own_words_away(town: Town, visibility: str, how: str) -> None:
    was = await left(town, visibility, how)
    accepted = f"{was.path('thread', was.own['thread'])}/accepted-answer"
    for _ in range(2):
        await town.send("bob", "DELETE", accepted, 204)
        for kind in KINDS:
            await town.send("bob", "DELETE", was.path(kind, was.own[kind]), 204)
    for kind in KINDS:
        shown = (await town.by("alice").get(was.path(kind, was.own[kind]))).json()
        assert (shown["deleted"], shown["body"]) == (True, None)


@pytest.mark.parametrize("visibility", ["public", "members"])
@pytest.mark.parametrize("how", ["left", "removed", "applicant"])
async def test_who_is_not_here_any_more_changes_and_learns_nothing_else(town: Town, visibility: str, how: str) -> None:
    was = await left(town, visibility, how)
    hidden, refused = visibility == "members", 403 if visibility == "public" or how == "applicant" else 404
    for kind in KINDS:
        own, others = was.path(kind, was.own[kind]), was.path(kind, was.others[kind])
        await town.send("bob", "PATCH", own, refused, {"body": "Other words."})
        await town.send("bob", "DELETE", others, 404 if hidden else 403)
        if hidden:
            await town.send("bob", "GET", own, 404)
            for headers in ({}, {"if-match": '"1"'}, {"if-match": '"7"'}):
                told = [
                    await town.by("bob").delete(path, headers=headers)
                    for path in (others, was.path(kind, str(uuid4())))
                ]
                assert [answer.status_code for answer in told] in ([404, 404], [412, 412])
                assert told[0].json()["detail"] == told[1].json()["detail"]
    await town.send(
        "bob", "DELETE", f"{was.path('thread', was.others['thread'])}/accepted-answer", 404 if hidden else 403
    )
    await town.send("bob", "POST", f"{was.place.path}/threads", refused, {"channel_id": was.place.channel,
                    "title": "Again", "body": "And again."})  # fmt: skip
    for kind in KINDS:
        assert not (await town.by("alice").get(was.path(kind, was.others[kind]))).json()["deleted"]


async def test_who_never_came_takes_nothing_away_and_learns_of_nothing(town: Town) -> None:
    for visibility, status in (("public", 403), ("members", 404)):
        was = await left(town, visibility, "left")
        for kind in KINDS:
            await town.send("dora", "DELETE", was.path(kind, was.others[kind]), status)
            await town.send("dora", "DELETE", was.path(kind, str(uuid4())), status)


async def test_a_former_moderator_takes_back_the_acceptance_they_gave_and_no_other(town: Town) -> None:
    place = await town.found("bob", "carol", moderator="carol")
    mine, theirs = await town.ask(place), await town.ask(place)
    for thread, by in ((mine, "carol"), (theirs, "alice")):
        reply = await town.reply(place, thread)
        await town.send(
            by, "PUT", f"{place.path}/threads/{thread['id']}/accepted-answer", 204, {"reply_id": reply["id"]}
        )
    assert (await town.member.by("carol").delete(f"{place.path}/members/me")).status_code == 204
    await asyncio.sleep(BELIEVED + 0.3)
    await town.send("carol", "DELETE", f"{place.path}/threads/{mine['id']}/accepted-answer", 204)
    await town.send("carol", "DELETE", f"{place.path}/threads/{theirs['id']}/accepted-answer", 403)
