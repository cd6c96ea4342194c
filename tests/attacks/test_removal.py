"""Whoever does harm can be sent away, and what they said and are called can be taken away; each with an event.

Attack 13.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.attacks.target import BELIEVED, Target


@pytest.mark.parametrize("role", ["moderator", "administrator", "owner"])
async def test_who_is_sent_away_is_out_everywhere_and_comes_back_only_when_let_in(target: Target, role: str) -> None:
    """13: from reading, writing and voting in all services; with the token they have, and by every way back in."""
    place = await target.found("mallory", visibility="members", mo=role)
    channel = await place.channel()
    thread, suggestion = await place.thread("mallory", channel), await place.suggestion()
    mallory = place.ids["mallory"]
    assert (await place.by("mo", "DELETE", f"/members/{mallory}", {"reason": "Advertising."})).status_code == 204
    await asyncio.sleep(BELIEVED)

    for method, path, body in (
        ("GET", "", None),
        ("GET", "/members", None),
        ("GET", "/channels", None),
        ("GET", f"/threads/{thread}", None),
        ("GET", "/metrics/influence", None),
        ("GET", f"/reactions?target={thread}", None),
        ("POST", "/threads", {"channel_id": channel, "title": "T", "body": "B", "tags": []}),
        ("POST", f"/threads/{thread}/replies", {"body": "B"}),
        ("PUT", f"/reactions/{thread}/like", None),
        ("POST", "/suggestions", {"title": "T", "anonymous": True}),
        ("PUT", f"/suggestions/{suggestion}/votes/me", None),
        ("PATCH", f"/threads/{thread}", {"body": "B"}),
        ("PUT", "/members/me/profile", {"display_name": "M"}),
    ):
        assert (await place.by("mallory", method, path, body)).status_code in (403, 404), (method, path)
    kinds = [event["type"].split(".")[2] for event in await place.events("member")]
    assert "member-removed" in kinds
    for _ in range(2):
        assert (await place.must("mallory", "POST", "/members"))["status"] == "applicant"
    assert (await place.by("mallory", "GET", "/channels")).status_code == 404


async def test_what_offends_is_taken_away_by_a_moderator_and_shown_to_nobody(target: Target) -> None:
    """13: an abusive suggestion and name, and kin: an anonymous one, threads, replies, comments, all of a profile."""
    place = await target.found("mallory", "bob", mo="moderator")
    thread = await place.thread("mallory")
    foul = "zxqvfoul"
    paths = {"thread": f"/threads/{thread}"}
    await place.must("mallory", "PATCH", paths["thread"], {"title": foul, "body": foul, "tags": [foul]})
    paths["reply"] = (
        f"/replies/{(await place.must('mallory', 'POST', f'/threads/{thread}/replies', {'body': foul}))['id']}"
    )
    on = await place.thread()
    comment = await place.must("mallory", "POST", f"/threads/{on}/comments", {"body": foul})
    paths["comment"] = f"/comments/{comment['id']}"
    for anonymous in (False, True):
        body = {"title": foul, "body": foul, "anonymous": anonymous}
        made = await place.must("mallory", "POST", "/suggestions", body)
        paths[f"suggestion {anonymous}"] = f"/suggestions/{made['id']}"
    mallory = place.ids["mallory"]
    profile = {"display_name": foul, "bio": foul, "needs": [foul], "interests": [foul], "skills": [foul]}
    await place.must("mallory", "PUT", "/members/me/profile", profile)
    paths["profile"] = f"/members/{mallory}/profile"

    for path in paths.values():
        assert (await place.by("bob", "DELETE", path)).status_code == 403, path
    for path in paths.values():
        answer = await place.by("mo", "DELETE", path)
        assert answer.status_code == 204, (path, answer.text)
    for path in (
        *paths.values(),
        "/threads?sort=active",
        f"/threads/{thread}/replies",
        f"/threads/{on}/comments",
        "/suggestions",
        "/members",
    ):
        shown = (
            await place.shown("bob", path, answer) if path == "/members" else (await place.by("bob", "GET", path)).text
        )
        assert foul not in str(shown), path
    tags = await place.must("bob", "GET", "/tags")
    assert foul not in str(tags)
