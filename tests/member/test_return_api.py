"""Who comes back, and who looks at it: no name that a role holder has by now, and no tag that tells they were away."""

from __future__ import annotations

import asyncio

import pytest

from shared.replicas.directory_lookup import BELIEVED
from tests.member.api import after, found, founding, grant, join
from tests.member.running import Api

ZED = {"display_name": "Zed", "bio": "Grows tomatoes."}


async def test_who_comes_back_under_a_name_that_a_role_holder_has_by_now_has_none(api: Api) -> None:
    path = await found(api)
    eve, alice = api.by("eve"), api.by("alice")
    await join(api, path, "eve")
    assert (await eve.put(f"{path}/members/me/profile", json=ZED)).status_code == 200
    await eve.delete(f"{path}/members/me")
    named = await alice.put(f"{path}/members/me/profile", json={"display_name": "Zed"})
    assert named.status_code == 200
    await after(alice, named, f"{path}/members")

    back = await join(api, path, "eve")
    assert (back["status"], back["display_name"]) == ("member", None)
    assert (await eve.get(f"{path}/members/me/profile")).json() == {"bio": ZED["bio"]}
    assert (await eve.put(f"{path}/members/me/profile", json=ZED)).status_code == 422


async def test_who_is_let_in_again_has_no_name_of_a_role_holder_either(api: Api) -> None:
    path = await found(api)
    eve, alice = api.by("eve"), api.by("alice")
    member = (await join(api, path, "eve"))["id"]
    await eve.put(f"{path}/members/me/profile", json=ZED)
    assert (await alice.delete(f"{path}/members/{member}")).status_code == 204
    await alice.put(f"{path}/members/me/profile", json={"display_name": "zed"})
    assert (await join(api, path, "eve"))["status"] == "applicant"

    let_in = await alice.post(f"{path}/members/{member}/acceptance")
    assert (let_in.status_code, let_in.json()["display_name"]) == (200, None)
    assert (await eve.get(f"{path}/members/me/profile")).json() == {"bio": ZED["bio"]}


async def test_who_comes_back_under_a_name_of_their_own_keeps_it(api: Api) -> None:
    path = await found(api)
    eve = api.by("eve")
    await join(api, path, "eve")
    await eve.put(f"{path}/members/me/profile", json=ZED)
    await eve.delete(f"{path}/members/me")
    assert (await join(api, path, "eve"))["display_name"] == "Zed"


async def test_a_tag_tells_outsiders_what_they_are_shown_and_no_more(api: Api) -> None:
    """Joined; declined once before; removed and let in, with a profile that was emptied."""
    path = await found(api)
    alice, ids = api.by("alice"), {}
    for who in ("bob", "carl", "dan"):
        if who == "carl":
            await alice.patch(path, json={"admission": "application"})
            member = (await join(api, path, who))["id"]
            await alice.post(f"{path}/members/{member}/decline")
            await alice.patch(path, json={"admission": "open"})
        ids[who] = (await join(api, path, who))["id"]
    for _ in range(3):
        await grant(api, path, "moderator", ids["dan"])
        await alice.delete(f"{path}/roles/moderator/members/{ids['dan']}")
    await api.by("dan").put(f"{path}/members/me/profile", json=ZED)
    await api.by("dan").delete(f"{path}/members/me/profile")

    tags = {}
    for who, member in ids.items():
        shown = [await api.by("stranger").get(f"{path}/members/{member}{part}") for part in ("", "/profile")]
        assert {answer.headers["etag"].partition("-")[0] for answer in shown} == {'"0'}
        tags[who] = shown[1].headers["etag"]
        again = {"if-none-match": shown[0].headers["etag"]}
        assert (await api.by("stranger").get(f"{path}/members/{member}", headers=again)).status_code == 304
    assert len(set(tags.values())) == 1, tags

    # Who may change it is told its version, and it counts.
    seen = (await alice.get(f"{path}/members/{ids['bob']}")).headers["etag"]
    await alice.put(f"{path}/members/{ids['bob']}/robot")
    stale = await alice.delete(f"{path}/members/{ids['bob']}", headers={"if-match": seen})
    assert stale.status_code == 412


@pytest.mark.parametrize(
    ("given", "admission"),
    [
        ({"visibility": "members"}, "application"),
        ({"visibility": "public"}, "open"),
        ({}, "open"),
        ({"visibility": "members", "admission": "open"}, "open"),
        ({"admission": "application"}, "application"),
    ],
)
async def test_one_for_members_admits_by_application_unless_it_is_said(
    api: Api, given: dict[str, str], admission: str
) -> None:
    body = {name: value for name, value in founding().items() if name != "admission"} | given
    made = await api.by("alice").post("/v1/communities", json=body)
    assert (made.status_code, made.json()["admission"]) == (201, admission)
    path = f"/v1/communities/{body['slug']}"
    joined = await join(api, path, "mallory")
    assert joined["status"] == ("member" if admission == "open" else "applicant")
    await asyncio.sleep(BELIEVED if given.get("visibility") == "members" else 0)
    read = await api.by("mallory").get(f"{path}/members")
    assert read.status_code == (404 if given == {"visibility": "members"} else 200)


async def test_what_becomes_for_members_is_entered_by_application_unless_it_is_said(api: Api) -> None:
    alice = api.by("alice")
    for said, admission in (({}, "application"), ({"admission": "open"}, "open")):
        path = await found(api)
        described = (await alice.patch(path, json={"visibility": "members", **said})).json()
        assert (described["visibility"], described["admission"]) == ("members", admission)
    again = (await alice.patch(path, json={"visibility": "members", "name": "Meadow"})).json()
    assert again["admission"] == "open"  # it was for members already


async def test_what_is_told_again_says_where_it_is_and_needs_no_right_where_nothing_is_shown(api: Api) -> None:
    path, bob, key = await found(api), api.by("bob"), {"idempotency-key": "once"}
    first, again = [await bob.post(f"{path}/members", headers=key) for _ in range(2)]
    assert (again.status_code, again.headers["location"]) == (201, first.headers["location"])
    assert [(await bob.delete(f"{path}/members/me", headers=key)).status_code for _ in range(2)] == [204, 204]
