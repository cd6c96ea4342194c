"""Roles over HTTP, on a real database: granted and revoked by whoever may, at once."""

from __future__ import annotations

import asyncio

from tests.member.api import after, found, founding, grant, join
from tests.member.running import Api


async def test_roles_say_what_they_permit_and_who_holds_them(api: Api) -> None:
    path = await found(api)
    bob = await join(api, path, "bob")
    last = await api.by("alice").put(f"{path}/roles/moderator/members/{bob['id']}")

    roles = (await after(api.by("carol"), last, f"{path}/roles"))["items"]

    assert [role["role"] for role in roles] == ["owner", "administrator", "moderator", "member"]
    assert [role["holders"] for role in roles] == [1, 0, 1, 2]
    moderator = roles[2]
    assert moderator["permissions"] == ["contribute", "moderate", "read"]
    assert moderator["granted_by"] == ["administrator", "owner"]
    assert moderator["held_by"] == [{"id": bob["id"], "display_name": None}]


async def test_a_role_is_granted_and_revoked_once_and_may_be_asked_for_again(api: Api) -> None:
    path = await found(api)
    bob = await join(api, path, "bob")
    alice, role = api.by("alice"), f"{path}/roles/administrator/members/{bob['id']}"

    granted = [await alice.put(role) for _ in range(2)]
    held = (await api.by("bob").get(f"{path}/members/me")).json()["roles"]
    revoked = [await alice.delete(role) for _ in range(2)]

    assert [answer.status_code for answer in granted + revoked] == [204] * 4
    assert granted[0].headers["etag"] == granted[1].headers["etag"]
    assert held == ["administrator", "member"]
    assert (await api.by("bob").get(f"{path}/members/me")).json()["roles"] == ["member"]


async def test_an_administrator_makes_moderators_and_no_administrators(api: Api) -> None:
    path = await found(api)
    bob, carol = await join(api, path, "bob"), await join(api, path, "carol")
    await grant(api, path, "administrator", bob["id"])

    as_bob = api.by("bob")
    assert (await as_bob.put(f"{path}/roles/moderator/members/{carol['id']}")).status_code == 204
    assert (await as_bob.put(f"{path}/roles/administrator/members/{carol['id']}")).status_code == 403
    assert (await as_bob.put(f"{path}/roles/owner/members/me")).status_code == 403
    assert (await api.by("carol").put(f"{path}/roles/moderator/members/{bob['id']}")).status_code == 403
    assert (await api.by("carol").delete(f"{path}/roles/administrator/members/{bob['id']}")).status_code == 403


async def test_a_right_that_was_taken_is_gone_at_once(api: Api) -> None:
    path = await found(api)
    bob, carol = await join(api, path, "bob"), await join(api, path, "carol")
    await grant(api, path, "administrator", bob["id"])
    await grant(api, path, "moderator", carol["id"], by="bob")

    await api.by("alice").delete(f"{path}/roles/administrator/members/{bob['id']}")

    assert (await api.by("bob").delete(f"{path}/roles/moderator/members/{carol['id']}")).status_code == 403


async def test_the_last_owner_stays_until_another_has_taken_over(api: Api) -> None:
    path = await found(api)
    alice, bob = api.by("alice"), await join(api, path, "bob")

    assert (await alice.delete(f"{path}/members/me")).status_code == 409
    assert (await alice.delete(f"{path}/roles/owner/members/me")).status_code == 409
    await grant(api, path, "owner", bob["id"])
    assert (await alice.delete(f"{path}/roles/owner/members/me")).status_code == 204
    assert (await alice.delete(f"{path}/roles/owner/members/me")).status_code == 204
    assert (await alice.delete(f"{path}/members/me")).status_code == 204
    assert (await api.by("bob").get(f"{path}/members/me")).json()["roles"] == ["owner", "member"]


async def test_an_ownership_ends_with_leaving_and_does_not_come_back(api: Api) -> None:
    path = await found(api)
    alice, bob = api.by("alice"), await join(api, path, "bob")
    await grant(api, path, "owner", bob["id"])

    assert (await alice.delete(f"{path}/members/me")).status_code == 204
    assert (await join(api, path, "alice"))["roles"] == ["member"]
    assert (await alice.put(f"{path}/roles/owner/members/me")).status_code == 403
    assert (await api.by("bob").delete(f"{path}/members/me")).status_code == 409  # now the last


async def test_a_repeated_founding_shows_a_community_for_members_to_members_only(api: Api) -> None:
    body = founding(visibility="members")
    path, alice = f"/v1/communities/{body['slug']}", api.by("alice")
    assert (await alice.post("/v1/communities", json=body)).status_code == 201
    assert (await alice.post("/v1/communities", json=body)).status_code == 201
    bob = await join(api, path, "bob")
    await grant(api, path, "owner", bob["id"])
    assert (await alice.delete(f"{path}/members/me")).status_code == 204

    again = await alice.post("/v1/communities", json=body)
    taken = await api.by("stranger").post("/v1/communities", json=body)

    assert (again.status_code, taken.status_code) == (409, 409)
    assert {**again.json(), "request_id": ""} == {**taken.json(), "request_id": ""}
    assert not {"etag", "location", "guildhall-position"} & again.headers.keys()


async def test_a_founder_who_left_does_not_come_back_by_founding_again(api: Api) -> None:
    path = await found(api)
    bob = await join(api, path, "bob")
    await grant(api, path, "owner", bob["id"])
    await api.by("alice").delete(f"{path}/roles/owner/members/me")
    await api.by("alice").delete(f"{path}/members/me")
    founded = (await api.by("bob").get(path)).json()

    again = await api.by("alice").post(
        "/v1/communities", json={k: v for k, v in founded.items() if k not in ("id", "archived", "founded_at")}
    )

    assert (again.status_code, again.json()) == (201, founded)
    assert (await api.by("alice").get(f"{path}/members/me")).json()["status"] == "left"


async def test_only_who_is_here_gets_a_role_and_only_a_role_there_is(api: Api) -> None:
    path = await found(api)
    bob = await join(api, path, "bob")
    await api.by("bob").delete(f"{path}/members/me")

    alice = api.by("alice")
    assert (await alice.put(f"{path}/roles/moderator/members/{bob['id']}")).status_code == 409
    assert (await alice.put(f"{path}/roles/owner/members/{bob['id']}")).status_code == 409
    assert (await alice.put(f"{path}/roles/member/members/{bob['id']}")).status_code == 422


async def test_of_two_owners_who_give_up_at_the_same_moment_one_stays(api: Api) -> None:
    path = await found(api)
    bob = await join(api, path, "bob")
    await grant(api, path, "owner", bob["id"])

    answers = await asyncio.gather(*(api.by(who).delete(f"{path}/roles/owner/members/me") for who in ("alice", "bob")))

    assert sorted(answer.status_code for answer in answers) == [204, 409]


async def test_of_two_who_found_under_one_slug_at_the_same_moment_one_does(api: Api) -> None:
    body = founding()

    answers = await asyncio.gather(*(api.by(who).post("/v1/communities", json=body) for who in ("alice", "bob")))

    assert sorted(answer.status_code for answer in answers) == [201, 409]
