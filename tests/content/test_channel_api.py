"""Channels over HTTP: opened and archived by administrators, listed in order, closed to new threads when archived."""

from __future__ import annotations

from tests.content.town import QUESTION, Town


async def test_an_administrator_opens_a_channel_and_everybody_sees_it(town: Town) -> None:
    place = await town.found("bob")
    seen = await town.look("bob", f"{place.path}/channels")

    (channel,) = seen["items"]
    assert (channel["name"], channel["posting"], channel["purpose"]) == ("Gardening", "members", "")
    assert (channel["archived"], channel["threads"]) == (False, 0)
    assert seen["freshness"]["lag_events"] == 0
    assert channel == await town.send("bob", "GET", f"{place.path}/channels/{place.channel}", 200)


async def test_members_open_no_channels(town: Town) -> None:
    place = await town.found("bob")
    await town.send("bob", "POST", f"{place.path}/channels", 403, {"name": "Mine"})
    await town.send("bob", "PATCH", f"{place.path}/channels/{place.channel}", 403, {"name": "Mine"})
    await town.send("bob", "POST", f"{place.path}/channels/{place.channel}/archive", 403)


async def test_a_channel_with_a_key_is_opened_once(town: Town) -> None:
    place = await town.found()
    path, body = f"{place.path}/channels", {"name": "News", "posting": "moderators"}
    first = await town.send("alice", "POST", path, 201, body, idempotency_key="k")
    assert await town.send("alice", "POST", path, 201, body, idempotency_key="k") == first
    await town.send("alice", "POST", path, 422, {**body, "name": "Other"}, idempotency_key="k")


async def test_a_channel_is_renamed_by_who_has_seen_it(town: Town) -> None:
    place = await town.found()
    path = f"{place.path}/channels/{place.channel}"
    renamed = await town.send("alice", "PATCH", path, 200, {"name": "Plants"}, if_match='"1"')
    assert renamed["name"] == "Plants"
    await town.send("alice", "PATCH", path, 412, {"name": "Trees"}, if_match='"1"')
    assert (await town.look("alice", f"{place.path}/channels"))["items"] == [renamed]


async def test_an_archived_channel_takes_no_threads_replies_or_comments(town: Town) -> None:
    place = await town.found("bob", "carol")
    thread = await town.ask(place)
    reply = await town.reply(place, thread)
    archived = await town.send("alice", "POST", f"{place.path}/channels/{place.channel}/archive", 200)
    await town.send("alice", "POST", f"{place.path}/channels/{place.channel}/archive", 200)

    assert archived["archived"] is True
    body = {**QUESTION, "channel_id": place.channel}
    await town.send("alice", "POST", f"{place.path}/threads", 409, body)
    await town.send("alice", "POST", f"{place.path}/threads/{thread['id']}/replies", 409, {"body": "Late."})
    await town.send("alice", "POST", f"{place.path}/threads/{thread['id']}/comments", 409, {"body": "Late."})
    await town.send("alice", "POST", f"{place.path}/replies/{reply['id']}/comments", 409, {"body": "Late."})
    assert (await town.look("bob", f"{place.path}/channels?archived=false"))["items"] == []
    assert len((await town.look("bob", f"{place.path}/channels?archived=true"))["items"]) == 1


async def test_in_a_channel_of_moderators_members_reply_and_open_no_threads(town: Town) -> None:
    place = await town.found("bob", "mo", moderator="mo")
    news = await town.made("alice", f"{place.path}/channels", {"name": "News", "posting": "moderators"})
    body = {**QUESTION, "channel_id": news["id"]}
    await town.send("bob", "POST", f"{place.path}/threads", 403, body)
    thread = await town.made("mo", f"{place.path}/threads", body)
    await town.reply(place, thread, "bob")


async def test_a_channel_of_another_community_is_not_there(town: Town) -> None:
    theirs, ours = await town.found(), await town.found()
    path = f"{ours.path}/channels/{theirs.channel}"
    await town.send("alice", "GET", path, 404)
    await town.send("alice", "PATCH", path, 404, {"name": "Ours"})
    await town.send("alice", "POST", f"{path}/archive", 404)
