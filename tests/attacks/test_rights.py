"""Rights end where they are taken, whoever is at work at that moment, and nobody comes back with more than they have.

Attacks 3, 4, 5 and 22. Rounds of races over two processes of each service: `tests/races`.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import httpx2 as httpx
import pytest

from tests.attacks.target import BELIEVED, Place, Target, until

CROWD = 40


async def test_a_revoked_owner_makes_no_more_owners(target: Target) -> None:
    """4: forty grants at the moment of the revocation; what was asked for after it is refused, each of it."""
    crowd = [f"puppet {n}" for n in range(CROWD)]
    place = await target.found(*crowd, olga="owner")
    gone = asyncio.Event()
    late: list[tuple[str, int]] = []
    early: list[int] = []

    async def grant(whom: str, role: str) -> None:
        was_gone = gone.is_set()
        answer = await place.by("olga", "PUT", f"/roles/{role}/members/{place.ids[whom]}", patient=False)
        (late.append((whom, answer.status_code)) if was_gone else early.append(answer.status_code))

    async def revoke() -> None:
        await asyncio.sleep(0.05)
        answer = await place.by("alice", "DELETE", f"/roles/owner/members/{place.ids['olga']}")
        assert answer.status_code == 204, answer.text
        gone.set()

    racing = asyncio.gather(*(grant(whom, "owner") for whom in crowd), revoke())
    await racing
    await asyncio.gather(*(grant(whom, role) for whom in crowd[:8] for role in ("owner", "moderator")))

    assert set(early) <= {204, 403, 409, 503}
    assert {status for _, status in late} <= {403, 429}, late
    owners = [event for event in await place.events("member") if event["type"].endswith("role-granted.v1")]
    made = [event for event in owners if str(event["actor"]) == place.ids["olga"]]
    assert len(made) == early.count(204)


ENDS: dict[str, tuple[str, str, Any]] = {
    "grants": ("PUT", "/roles/moderator/members/{bob}", None),
    "revokes": ("DELETE", "/roles/moderator/members/{mo}", None),
    "accepts": ("POST", "/members/{eve}/acceptance", None),
    "declines": ("POST", "/members/{eve}/decline", {}),
    "removes": ("DELETE", "/members/{bob}", None),
    "marks robots": ("PUT", "/members/{bob}/robot", None),
    "unmarks robots": ("DELETE", "/members/{bob}/robot", None),
    "describes": ("PATCH", "", {"name": "Taken"}),
    "archives": ("POST", "/archive", None),
    "empties profiles": ("DELETE", "/members/{bob}/profile", None),
}


async def _sees_applicants(place: Place, who: str) -> bool:
    return (await place.by(who, "GET", "/members?status=applicant")).is_success


@pytest.mark.parametrize("how", ["revoked", "removed", "left"])
async def test_who_has_lost_every_role_does_nothing_with_it_in_the_next_moment(target: Target, how: str) -> None:
    """4, kin: every right that the member service knows, however it ended, without waiting for anything."""
    place = await target.found("bob", olga="owner", mo="moderator", dora="administrator")
    await place.must("alice", "PATCH", "", {"admission": "application"})
    await place.join("eve")
    for who in ("olga", "dora"):  # so that all that is believed of them is believed now
        await until(partial(_sees_applicants, place, who))
    match how:
        case "revoked":
            for who, role in (("olga", "owner"), ("dora", "administrator")):
                await place.must("alice", "DELETE", f"/roles/{role}/members/{place.ids[who]}")
        case "removed":
            await place.must("alice", "DELETE", f"/roles/owner/members/{place.ids['olga']}")
            for who in ("olga", "dora"):
                await place.must("alice", "DELETE", f"/members/{place.ids[who]}")
        case _:
            for who in ("olga", "dora"):
                await place.must(who, "DELETE", "/members/me")
    before = len(await place.events("member"))

    for who in ("olga", "dora"):
        for what, (method, path, body) in ENDS.items():
            answer = await place.by(who, method, path.format(**place.ids), body)
            assert answer.status_code == 403, (how, who, what, answer.status_code, answer.text)
    assert len(await place.events("member")) == before


async def test_what_other_services_believe_of_a_role_ends_within_seconds(target: Target) -> None:
    """4, kin: rights that are asked in other services, which hear of a revocation by the topic."""
    place = await target.found("bob", dora="administrator")
    channel = await place.channel()
    thread = await place.thread("bob", channel)
    suggestion = await place.suggestion("bob")
    await place.must("dora", "PATCH", f"/channels/{channel}", {"name": "Talk"})
    await place.must("dora", "POST", f"/suggestions/{suggestion}/plan", {})
    await place.must("alice", "DELETE", f"/roles/administrator/members/{place.ids['dora']}")
    await asyncio.sleep(BELIEVED)

    for method, path, body in (
        ("PATCH", f"/channels/{channel}", {"name": "Taken"}),
        ("POST", f"/channels/{channel}/archive", None),
        ("POST", "/channels", {"name": "Mine"}),
        ("PATCH", f"/threads/{thread}", {"title": "Taken"}),
        ("DELETE", f"/threads/{thread}", None),
        ("DELETE", f"/threads/{thread}/accepted-answer", None),
        ("DELETE", f"/suggestions/{suggestion}", None),
        ("POST", f"/suggestions/{suggestion}/decline", {}),
        ("POST", f"/suggestions/{suggestion}/answer", {"text": "No."}),
        ("POST", "/content/backfill", None),
        ("POST", "/feedback/backfill", None),
        ("POST", "/engagement/backfill", None),
    ):
        scope = "guildhall:backfill" if path.endswith("backfill") else None
        headers = {"content-type": "application/x-ndjson"} if scope else {}
        answer = await place.by("dora", method, path, body, scope=scope, headers=headers)
        assert answer.status_code == 403, (method, path, answer.text)


async def test_an_owner_who_left_comes_back_as_a_member_and_the_community_is_never_without_one(target: Target) -> None:
    """3: leave against grant, then come back; and the last owners who all go at once."""
    places = await asyncio.gather(*(target.found("bob") for _ in range(4)))

    async def play(place: Place) -> None:
        bob = place.ids["bob"]
        await asyncio.gather(
            place.by("alice", "PUT", f"/roles/owner/members/{bob}"), place.by("bob", "DELETE", "/members/me")
        )
        await asyncio.gather(
            place.by("alice", "DELETE", "/members/me"),
            place.by("alice", "DELETE", f"/roles/owner/members/{place.ids['alice']}"),
            place.by("bob", "DELETE", "/members/me"),
        )
        assert await owners(place), "nobody owns it"
        again = await place.must("bob", "POST", "/members")
        assert ("owner" in again["roles"]) == (bob in await owners(place))

    await asyncio.gather(*map(play, places))


async def owners(place: Place) -> set[str]:
    """Who owns it by the log, and is a member."""
    rows = await target_rows(place)
    owning: set[str] = set()
    here: set[str] = set()
    for kind, member in rows:
        match kind:
            case "granted":
                owning.add(member)
            case "revoked":
                owning.discard(member)
            case "joined":
                here.add(member)
            case _:
                here.discard(member)
    assert owning <= here, "an owner who is no member"
    return owning


async def target_rows(place: Place) -> list[tuple[str, str]]:
    found = await place.target.rows(
        "member",
        """select type, data::jsonb ->> 'member_id' as member from (
             select type, convert_from(data, 'utf8') as data, stream, version from log where community = $1
           ) l where type ~ 'member-(joined|left|removed)' or (type ~ 'role-' and data::jsonb ->> 'role' = 'owner')
           order by stream, version""",
        place.id,
    )
    return [(row["type"].split(".")[2].rpartition("-")[2], row["member"]) for row in found]


@pytest.mark.parametrize("role", ["owner", "administrator", "moderator"])
async def test_a_role_does_not_come_back_with_its_holder(target: Target, role: str) -> None:
    """3, kin: every role, after leaving and after being removed and let in again."""
    place = await target.found(olga=role)
    await place.must("olga", "DELETE", "/members/me")
    assert (await place.must("olga", "POST", "/members"))["roles"] == ["member"]
    await place.must("alice", "PUT", f"/roles/moderator/members/{place.ids['olga']}")
    await place.must("alice", "DELETE", f"/members/{place.ids['olga']}")
    await place.must("olga", "POST", "/members")
    back = await place.must("alice", "POST", f"/members/{place.ids['olga']}/acceptance")
    assert (back["status"], back["roles"]) == ("member", ["member"])


async def test_who_has_left_a_private_community_is_shown_nothing_by_repeating_what_they_did(target: Target) -> None:
    """5, and its kin: every command whose answer shows something, with the key it had, after leaving."""
    place = await target.found("bob", visibility="members", dora="administrator", mallory="owner")
    channel = await place.channel()
    thread, foreign = await place.thread("mallory", channel), await place.thread("bob", channel)
    reply, suggestion = await place.reply("bob", thread), await place.suggestion("bob")
    mine = await place.comment("mallory", foreign)
    founding = {"slug": place.slug, "name": place.canary, "purpose": place.canary, "language": "en"}
    founding |= {"time_zone": "UTC", "visibility": "members"}
    done: list[tuple[str, str, Any]] = [
        ("PATCH", "", {"purpose": place.canary}),
        ("POST", "/members", None),
        ("PUT", "/members/me/profile", {"display_name": "Mallory"}),
        ("PUT", f"/roles/moderator/members/{place.ids['bob']}", None),
        ("PUT", f"/members/{place.ids['bob']}/robot", None),
        ("POST", "/channels", {"name": "Another"}),
        ("PATCH", f"/channels/{channel}", {"name": place.canary}),
        ("POST", "/threads", {"channel_id": channel, "title": "T", "body": "B", "tags": []}),
        ("PATCH", f"/threads/{thread}", {"title": place.canary, "body": "C"}),
        ("PATCH", f"/threads/{foreign}", {"title": place.canary, "body": "C"}),
        ("POST", f"/threads/{foreign}/replies", {"body": "R"}),
        ("PATCH", f"/replies/{reply}", {"body": "R"}),
        ("POST", f"/threads/{foreign}/comments", {"body": "C"}),
        ("POST", f"/replies/{reply}/comments", {"body": "C"}),
        ("PATCH", f"/comments/{mine}", {"body": "D"}),
        ("PUT", f"/threads/{thread}/accepted-answer", {"reply_id": reply}),
        ("POST", "/reactions", {"target_id": foreign, "kind": "like"}),
        ("PUT", f"/reactions/{reply}/like", None),
        ("PUT", f"/views/{foreign}", None),
        ("POST", "/shares", {"target_id": foreign, "medium": "chat"}),
        ("POST", "/suggestions", {"title": "S"}),
        ("POST", f"/suggestions/{suggestion}/answer", {"text": "A"}),
        ("POST", f"/suggestions/{suggestion}/plan", {}),
        ("PUT", f"/suggestions/{suggestion}/votes/me", None),
    ]

    async def repeated(method: str, path: str, body: Any, number: int) -> httpx.Response:
        return await place.by("mallory", method, path, body, headers={"idempotency-key": f"mallory-{number}"})

    first: dict[int, httpx.Response] = {}
    for number, (method, path, body) in enumerate(done):
        if path != "/members":
            first[number] = answer = await repeated(method, path, body, number)
            assert answer.is_success, (method, path, answer.text)
    await place.must("alice", "PATCH", "", {"admission": "application", "purpose": "newer"})
    await place.must("mallory", "DELETE", "/members/me")
    await asyncio.sleep(BELIEVED)

    for number, (method, path, body) in enumerate(done):
        # With its key it is told that it was done, and no text that it may not read now; without, nothing at all.
        if number in first:
            again = await repeated(method, path, body, number)
            assert again.headers["idempotent-replayed"] == "true", (method, path, again.text)
            assert again.status_code == first[number].status_code, path
            assert not again.content or again.json().get("id") == first[number].json().get("id"), path
            written = [value for value in (body or {}).values() if 4 < len(value) < 36]
            assert not any(text in again.text for text in (place.slug, place.canary, *written)), (path, again.text)
        answer = await place.by("mallory", method, path, body)
        if path == "/members":
            assert (await place.must("mallory", "DELETE", "/members/me")) is None  # applied, and taken back
        else:
            assert answer.status_code in (403, 404, 409), (method, path, answer.text)
            assert place.slug not in answer.text, (method, path, answer.text)
    founded = await place.by("mallory", "POST", "/v1/communities", founding)
    assert founded.status_code == 409
    for path in ("", "/channels", "/threads", f"/threads/{thread}", "/suggestions", "/members", "/metrics/influence"):
        assert (await place.by("mallory", "GET", path)).status_code == 404, path


async def test_the_founder_who_has_left_is_told_what_anybody_is(target: Target) -> None:
    """5: the founding repeated word for word, as it stood and as it stands, by the founder who has left."""
    place = await target.found(visibility="members", olga="owner")
    founding = {"slug": place.slug, "name": place.canary, "purpose": place.canary, "language": "en"}
    founding |= {"time_zone": "UTC", "visibility": "members"}
    await place.must("alice", "DELETE", "/members/me")

    answers = [await place.by(who, "POST", "/v1/communities", founding) for who in ("alice", "stranger")]
    assert {answer.status_code for answer in answers} == {409}
    assert answers[0].json()["detail"] == answers[1].json()["detail"]
    await asyncio.sleep(BELIEVED)
    assert (await place.by("alice", "GET", "")).status_code == 404


async def test_no_vote_is_recorded_after_the_completion(target: Target) -> None:
    """22: votes at the moment of the completion; each that was answered 204 is counted, and none comes later."""
    voters = [f"voter {n}" for n in range(24)]
    place = await target.found(*voters)
    suggestions = [await place.suggestion() for _ in range(2)]
    for number, suggestion in enumerate(suggestions):
        votes = f"/suggestions/{suggestion}/votes/me"
        done, answered = asyncio.Event(), dict[str, tuple[bool, int]]()

        async def vote(who: str, votes: str = votes, done: asyncio.Event = done, answered: Any = answered) -> None:
            late = done.is_set()
            answered[who] = (late, (await place.by(who, "PUT", votes)).status_code)

        async def settle(end: str, suggestion: str = suggestion, done: asyncio.Event = done) -> None:
            await asyncio.sleep(0.03)
            await place.must("alice", "POST", f"/suggestions/{suggestion}/{end}", {})
            done.set()

        await asyncio.gather(*map(vote, voters[:-4]), settle("decline" if number else "complete"))
        began = time.monotonic()
        await asyncio.gather(*map(vote, voters[-4:]))
        assert time.monotonic() - began < 60
        assert {status for late, status in answered.values() if late} == {409}
        kept = [e for e in await place.events("feedback") if e["type"].endswith("suggestion-voted.v1")]
        stood = sum(1 for _, status in answered.values() if status == 204)
        assert len([e for e in kept if suggestion.encode() in bytes(e["data"])]) == stood
        shown = await place.must("alice", "GET", f"/suggestions/{suggestion}")
        assert shown["state"] == ("declined" if number else "completed")
