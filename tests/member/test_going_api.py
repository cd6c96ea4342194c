"""Taking an application back, being removed and coming back, and what becomes of a profile then, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx2 as httpx
import pytest
import sqlalchemy as sa

from services.member.tables import metadata
from shared.replicas.directory_lookup import BELIEVED
from tests.member.api import Json, after, found, grant, join
from tests.member.running import Api

ADA = {"display_name": "Ada Zxqv", "bio": "Writes about Zxqv."}
ANSWERS = {"answers": [{"question": "What brings you here?", "answer": "I grow tomatoes."}]}


async def me(api: Api, path: str, who: str) -> Json:
    answer = await api.by(who).get(f"{path}/members/me")
    assert answer.status_code == 200, answer.text
    shown: Json = answer.json()
    return shown


async def removed(api: Api, path: str, member: str, by: str = "alice", body: Json | None = None) -> httpx.Response:
    return await api.by(by).request("DELETE", f"{path}/members/{member}", json=body)


@pytest.mark.parametrize("visibility", ["public", "members"])
async def test_an_application_is_taken_back_and_sent_again(api: Api, visibility: str) -> None:
    path = await found(api, admission="application", visibility=visibility)
    bob, alice = api.by("bob"), api.by("alice")
    member = (await bob.post(f"{path}/members", json=ANSWERS)).json()["id"]
    first = await bob.delete(f"{path}/members/me")
    again = await bob.delete(f"{path}/members/me")
    assert (first.status_code, again.status_code, first.headers["etag"]) == (204, 204, again.headers["etag"])

    shown = await me(api, path, "bob")
    assert (shown["status"], shown["application"]) == ("withdrawn", {"answers": None, "reason": None})
    assert (await alice.get(f"{path}/members/{member}")).json()["status"] == "withdrawn"
    assert (await api.by("carol").get(f"{path}/members/{member}")).status_code == 404
    for decision in ("acceptance", "decline"):
        assert (await alice.post(f"{path}/members/{member}/{decision}")).status_code == 409
    for status, there in (("applicant", []), ("withdrawn", [member])):
        listed = await after(alice, first, f"{path}/members?status={status}")
        assert [item["id"] for item in listed["items"]] == there
    assert (await bob.post(f"{path}/members", json=ANSWERS)).json()["status"] == "applicant"
    assert (await alice.post(f"{path}/members/{member}/acceptance")).json()["status"] == "member"


async def test_who_took_an_application_back_joins_once_the_community_is_open(api: Api) -> None:
    path = await found(api, admission="application")
    await api.by("bob").post(f"{path}/members", json=ANSWERS)
    await api.by("bob").delete(f"{path}/members/me")
    assert (await api.by("alice").patch(path, json={"admission": "open"})).status_code == 200
    assert (await join(api, path, "bob"))["status"] == "member"


async def test_an_application_is_taken_back_from_an_archived_community_too(api: Api) -> None:
    path = await found(api, admission="application")
    await api.by("bob").post(f"{path}/members", json=ANSWERS)
    assert (await api.by("alice").post(f"{path}/archive")).status_code == 200
    assert (await api.by("bob").delete(f"{path}/members/me")).status_code == 204


async def test_a_member_is_removed_with_a_reason_for_them_and_for_moderators(api: Api) -> None:
    path = await found(api)
    bob, carol = (await join(api, path, "bob"))["id"], (await join(api, path, "carol"))["id"]
    await grant(api, path, "moderator", bob)
    gone = await removed(api, path, bob, body={"reason": "Advertising."})
    again = await removed(api, path, bob, body={"reason": "Advertising."})
    assert (gone.status_code, again.status_code, gone.headers["etag"]) == (204, 204, again.headers["etag"])

    for who, member in (("bob", "me"), ("alice", bob)):
        shown = (await api.by(who).get(f"{path}/members/{member}")).json()
        assert (shown["status"], shown["roles"], shown["removal"]) == ("removed", [], {"reason": "Advertising."})
    for who in ("carol", "stranger"):  # what became of somebody is for moderators, and not to be told from nobody
        unknown = (await api.by(who).get(f"{path}/members/{uuid4()}")).json()
        told = (await api.by(who).get(f"{path}/members/{bob}")).json()
        assert (told["status"], told["detail"]) == (404, unknown["detail"])
        for status in ("left", "removed"):
            assert (await api.by(who).get(f"{path}/members?status={status}")).status_code == 403
    listed = await after(api.by("alice"), gone, f"{path}/members?status=removed")
    assert [item["id"] for item in listed["items"]] == [bob]
    here = await after(api.by("alice"), gone, f"{path}/members")
    assert {item["id"] for item in here["items"]} == {carol, (await me(api, path, "alice"))["id"]}
    moderators = await after(api.by("alice"), gone, f"{path}/roles")
    assert {role["role"]: role["holders"] for role in moderators["items"]}["moderator"] == 0
    (community,) = [
        item
        for item in (await api.by("alice").get("/v1/communities?mine=true&limit=200")).json()["items"]
        if path.endswith(item["slug"])
    ]
    assert community["members"] == 2


async def test_who_was_removed_comes_back_by_application_also_where_the_community_is_open(api: Api) -> None:
    path = await found(api)
    bob = (await join(api, path, "bob"))["id"]
    await removed(api, path, bob)
    for _ in range(3):
        assert (await api.by("bob").post(f"{path}/members", json=ANSWERS)).json()["status"] == "applicant"
    assert (await api.by("bob").delete(f"{path}/members/me")).status_code == 204
    assert (await api.by("bob").post(f"{path}/members")).json()["status"] == "applicant"
    back = await api.by("alice").post(f"{path}/members/{bob}/acceptance")
    assert (back.json()["status"], back.json()["times_joined"]) == ("member", 2)
    await api.by("bob").delete(f"{path}/members/me")
    assert (await join(api, path, "bob"))["status"] == "member"


async def test_nobody_removes_who_does_not_stand_below_or_is_not_here(api: Api) -> None:
    path = await found(api)
    ids = {who: (await join(api, path, who))["id"] for who in ("ann", "ada", "mo", "max", "bob", "carol")}
    ids["alice"] = (await me(api, path, "alice"))["id"]
    for role, *holders in (("administrator", "ann", "ada"), ("moderator", "mo", "max")):
        for who in holders:
            await grant(api, path, role, ids[who])
    refused = [("bob", "carol"), ("mo", "max"), ("mo", "ann"), ("mo", "alice"), ("ann", "ada"), ("ann", "alice")]
    refused += [(who, who) for who in ids]
    for by, whom in refused:
        answer = await removed(api, path, ids[whom], by)
        assert answer.status_code == 403, (by, whom, answer.text)
    assert (await api.by("bob").delete(f"{path}/members/me")).status_code == 204
    assert (await removed(api, path, ids["bob"])).status_code == 409
    assert (await removed(api, path, "00000000-0000-5000-8000-00000000dead")).status_code == 404
    for by, whom in (("mo", "carol"), ("ann", "mo"), ("alice", "ann")):
        assert (await removed(api, path, ids[whom], by)).status_code == 204


async def test_who_loses_the_role_meanwhile_removes_nobody_any_more(api: Api) -> None:
    path = await found(api)
    ann, mo = (await join(api, path, "ann"))["id"], (await join(api, path, "mo"))["id"]
    await grant(api, path, "administrator", ann)
    await grant(api, path, "moderator", mo)
    revoking = api.by("alice").delete(f"{path}/roles/administrator/members/{ann}")
    answers = await asyncio.gather(removed(api, path, mo, "ann"), revoking, removed(api, path, mo, "ann"))
    assert {answer.status_code for answer in answers} <= {204, 403}
    later = await removed(api, path, mo, "ann")
    assert later.status_code == 403, "who has lost the role removes nobody, whatever the directory believes"


async def test_robots_are_marked_by_administrators_shown_and_found(api: Api) -> None:
    path = await found(api)
    bob, carol = (await join(api, path, "bob"))["id"], (await join(api, path, "carol"))["id"]
    await grant(api, path, "moderator", carol)
    robot = f"{path}/members/{bob}/robot"
    assert (await api.by("carol").put(robot)).status_code == 403
    assert (await api.by("alice").put(f"{path}/members/00000000-0000-5000-8000-00000000dead/robot")).status_code == 404
    for method, marked in (("PUT", True), ("PUT", True), ("DELETE", False), ("DELETE", False), ("PUT", True)):
        answer = await api.by("alice").request(method, robot)
        assert answer.status_code == 204, answer.text
        assert (await api.by("dora").get(f"{path}/members/{bob}")).json()["robot"] is marked
        found_ones = await after(api.by("dora"), answer, f"{path}/members?robot=true")
        assert [item["id"] for item in found_ones["items"]] == ([bob] if marked else [])
        others = await after(api.by("dora"), answer, f"{path}/members?robot=false")
        assert len(others["items"]) == (2 if marked else 3)
        assert {item["robot"] for item in others["items"]} == {False}


async def _kept(api: Api, member: str) -> list[bytes]:
    vault = metadata.tables["vault"]
    async with api.runtime.engine.begin() as connection:
        return list((await connection.execute(sa.select(vault.c.content).where(vault.c.subject == member))).scalars())


async def test_words_of_a_profile_that_were_replaced_are_not_kept(api: Api) -> None:
    path = await found(api)
    alice, member = api.by("alice"), (await me(api, path, "alice"))["id"]
    for number in range(5):
        await alice.put(f"{path}/members/me/profile", json={"bio": f"Bio number {number}."})
    assert await _kept(api, member) == [b'{"bio":"Bio number 4."}']
    bios = [{"bio": f"At once {number}."} for number in range(8)]
    answers = await asyncio.gather(*(alice.put(f"{path}/members/me/profile", json=bio) for bio in bios))
    assert {answer.status_code for answer in answers} == {200}
    await alice.put(f"{path}/members/me/profile", json={"bio": "The last."})
    assert await _kept(api, member) == [b'{"bio":"The last."}']


@pytest.mark.parametrize("visibility", ["public", "members"])
@pytest.mark.parametrize("how", ["DELETE", "PUT"])
async def test_a_profile_ends_with_leaving_and_is_still_emptied(api: Api, visibility: str, how: str) -> None:
    path = await found(api, visibility=visibility)
    bob, member = api.by("bob"), (await join(api, path, "bob"))["id"]
    await join(api, path, "carol")
    assert (await bob.put(f"{path}/members/me/profile", json=ADA)).status_code == 200
    await bob.delete(f"{path}/members/me")
    await asyncio.sleep(BELIEVED + 0.2)

    seen = [
        (await api.by("carol").get(f"{path}/members/{member}")).text,
        (await api.by("carol").get(f"{path}/members/{member}/profile")).text,
        (await api.by("carol").get(f"{path}/members?status=left")).text,
    ]
    assert not [text for text in seen if "Zxqv" in text]
    assert (await api.by("alice").get(f"{path}/members/{member}/profile")).json() == ADA
    assert (await me(api, path, "bob"))["display_name"] == ADA["display_name"]
    hidden = visibility == "members"
    refused = await bob.put(f"{path}/members/me/profile", json={"bio": "Still here."})
    assert refused.status_code == (404 if hidden else 403)
    for _ in range(2):
        body: dict[str, Any] = {"json": {}} if how == "PUT" else {}
        emptied = await bob.request(how, f"{path}/members/me/profile", **body)
        assert emptied.status_code == (200 if how == "PUT" else 204), emptied.text
    assert (await api.by("alice").get(f"{path}/members/{member}/profile")).json() == {}
    assert not [kept for kept in await _kept(api, member) if b"Zxqv" in kept]
    assert (await join(api, path, "bob"))["display_name"] is None


async def test_a_profile_is_emptied_in_an_archived_community_and_by_a_moderator(api: Api) -> None:
    path = await found(api)
    bob, carol = (await join(api, path, "bob"))["id"], (await join(api, path, "carol"))["id"]
    await grant(api, path, "moderator", carol)
    for who in ("bob", "alice"):  # who holds no role first: the other way round the name would be too like
        await api.by(who).put(f"{path}/members/me/profile", json=ADA)
    assert (await api.by("bob").delete(f"{path}/members/{carol}/profile")).status_code == 403
    emptied = await api.by("carol").delete(f"{path}/members/{bob}/profile")
    assert emptied.status_code == 204
    listed = await after(api.by("dora"), emptied, f"{path}/members")
    assert {item["id"]: item["display_name"] for item in listed["items"]}[bob] is None
    await api.by("alice").post(f"{path}/archive")
    await asyncio.sleep(BELIEVED + 0.2)
    assert (await api.by("alice").put(f"{path}/members/me/profile", json=ADA)).status_code == 409
    assert (await api.by("alice").delete(f"{path}/members/me/profile")).status_code == 204


async def test_who_does_not_read_a_community_learns_nothing_of_profiles(api: Api) -> None:
    path = await found(api, visibility="members")
    alice = (await me(api, path, "alice"))["id"]
    await join(api, path, "bob")
    await api.by("bob").delete(f"{path}/members/me")
    await asyncio.sleep(BELIEVED + 0.2)
    for who in ("bob", "dora"):
        told = [
            await api.by(who).delete(f"{path}/members/{member}/profile")
            for member in (alice, "00000000-0000-5000-8000-00000000dead")
        ]
        assert [answer.status_code for answer in told] == [404, 404]
        assert told[0].json()["detail"] == told[1].json()["detail"]
