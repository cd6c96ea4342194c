"""Profiles over HTTP, on a real database: replaced as a whole, forgettable, and never in the log."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.member.tables import metadata
from tests.member.api import after, found, join
from tests.member.running import Api

ADA = {"display_name": "Ada Lovelace", "bio": "Writes about numbers.", "skills": ["proofreading", "算术"]}


async def test_a_profile_is_empty_then_as_it_was_put(api: Api) -> None:
    path = await found(api)
    alice = api.by("alice")
    empty = await alice.get(f"{path}/members/me/profile")
    put = await alice.put(f"{path}/members/me/profile", json=ADA)
    shown = await alice.get(f"{path}/members/me/profile")

    assert (empty.status_code, empty.json()) == (200, {})
    assert (put.status_code, put.json(), shown.json()) == (200, ADA, ADA)
    assert put.headers["etag"] == shown.headers["etag"] != empty.headers["etag"]


async def test_the_same_profile_again_is_no_new_version(api: Api) -> None:
    path = await found(api)
    alice = api.by("alice")
    versions = [(await alice.put(f"{path}/members/me/profile", json=ADA)).headers["etag"] for _ in range(3)]
    assert len(set(versions)) == 1


async def test_an_empty_profile_put_where_there_was_none_is_no_event(api: Api) -> None:
    path = await found(api)
    put = await api.by("alice").put(f"{path}/members/me/profile", json={})
    assert (put.json(), put.headers["etag"]) == ({}, '"0"')


async def test_what_a_new_profile_leaves_out_is_gone(api: Api) -> None:
    path = await found(api)
    alice = api.by("alice")
    await alice.put(f"{path}/members/me/profile", json=ADA)
    await alice.put(f"{path}/members/me/profile", json={"bio": "Retired."})
    assert (await alice.get(f"{path}/members/me/profile")).json() == {"bio": "Retired."}


async def test_a_profile_changes_only_if_it_is_the_one_that_was_seen(api: Api) -> None:
    path = await found(api)
    alice = api.by("alice")
    seen = (await alice.put(f"{path}/members/me/profile", json=ADA)).headers["etag"]
    await alice.put(f"{path}/members/me/profile", json={"bio": "Changed elsewhere."})

    stale = await alice.put(f"{path}/members/me/profile", json=ADA, headers={"if-match": seen})

    assert stale.status_code == 412


async def test_only_ones_own_profile_can_be_changed_and_any_members_be_read(api: Api) -> None:
    path = await found(api)
    alice, bob = (await api.by("alice").get(f"{path}/members/me")).json(), await join(api, path, "bob")
    await api.by("alice").put(f"{path}/members/me/profile", json=ADA)

    assert (await api.by("bob").put(f"{path}/members/{alice['id']}/profile", json={})).status_code == 403
    assert (await api.by("bob").put(f"{path}/members/{bob['id']}/profile", json={})).status_code == 200
    assert (await api.by("bob").get(f"{path}/members/{alice['id']}/profile")).json() == ADA
    assert (await api.by("carol").put(f"{path}/members/me/profile", json=ADA)).status_code == 403


async def test_the_roster_names_members_by_their_profiles(api: Api) -> None:
    path = await found(api)
    put = await api.by("alice").put(f"{path}/members/me/profile", json=ADA)

    roster = await after(api.by("bob"), put, f"{path}/members")
    me = (await api.by("alice").get(f"{path}/members/me")).json()

    assert [item["display_name"] for item in roster["items"]] == ["Ada Lovelace"]
    assert me["display_name"] == "Ada Lovelace"


async def test_words_are_in_the_vault_alone_and_erasing_them_there_leaves_nothing(api: Api) -> None:
    path = await found(api)
    alice = api.by("alice")
    member = (await alice.get(f"{path}/members/me")).json()["id"]
    secret = {"display_name": "Zxqv Wyrm", "bio": "lives at Zxqv street", "needs": ["zxqv"]}
    put = await alice.put(f"{path}/members/me/profile", json=secret)
    await after(alice, put, f"{path}/members")
    vault, log = metadata.tables["vault"], metadata.tables["log"]

    async with api.runtime.engine.begin() as connection:
        kept = (await connection.execute(sa.select(vault.c.content).where(vault.c.subject == member))).scalars().all()
        logged = (await connection.execute(sa.select(log.c.data))).scalars().all()
        await connection.execute(sa.delete(vault).where(vault.c.subject == member))

    assert [b"Zxqv" in content for content in kept] == [True]
    assert not [data for data in logged if b"xqv" in data]
    assert (await alice.get(f"{path}/members/me/profile")).json() == {}
    assert (await alice.get(f"{path}/members/me")).json()["display_name"] is None
    assert (await alice.get(f"{path}/members")).json()["items"][0]["display_name"] is None


async def test_a_profile_is_kept_as_it_was_sent_and_its_names_show(api: Api) -> None:
    path = await found(api)
    profile = f"{path}/members/me/profile"
    bio = "    code\n\n- e\u0301  \n\ttab"
    put = await api.by("alice").put(
        profile, json={"display_name": " Ada\u200b ", "bio": f"{bio}\n", "skills": [" R\ufeff"]}
    )
    assert put.json() == {"display_name": "Ada", "bio": bio, "skills": ["R"]}
    again = await api.by("alice").put(profile, json={"display_name": "Ada", "bio": f"{bio}\r\n", "skills": ["R"]})
    assert again.headers["etag"] == put.headers["etag"]


@pytest.mark.parametrize("name", ["\u200b", "\u3164", "\u115f", "\u2800", "\u00ad", "\ufe0f", "\u0301", "\u3000"])
@pytest.mark.parametrize(
    ("field", "pointer"), [("display_name", "/display_name"), ("skills", "/skills/0"), ("bio", "/bio")]
)
async def test_where_nothing_shows_there_is_no_name(api: Api, field: str, pointer: str, name: str) -> None:
    path = await found(api)
    answer = await api.by("alice").put(
        f"{path}/members/me/profile", json={field: [name] if field == "skills" else name}
    )
    detail = "The text must have at least one character that shows"
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"pointer": pointer, "detail": detail}])


@pytest.mark.parametrize(
    ("name", "character"),
    [
        ("Ada\u202e", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("A\u2066da", "U+2066 LEFT-TO-RIGHT ISOLATE"),
        ("\x1b[31mAda", "U+001B (a control character)"),
        ("A\u200bda", "U+200B ZERO WIDTH SPACE"),
        ("A\nda", "U+000A (a control character)"),
    ],
)
async def test_what_does_not_stand_in_a_name_is_named(api: Api, name: str, character: str) -> None:
    path = await found(api)
    answer = await api.by("alice").put(f"{path}/members/me/profile", json={"display_name": f"{name}!"})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"]) == (422, "/display_name")
    assert error["detail"].startswith(f"{character} cannot stand in a name: ")


async def test_nobody_takes_a_name_that_looks_like_that_of_another_who_holds_a_role(api: Api) -> None:
    path = await found(api)
    alice, bob, profile = api.by("alice"), api.by("bob"), f"{path}/members/me/profile"
    for who in ("bob", "carol", "dora"):
        member = await join(api, path, who)
        if who == "carol":
            granted = await alice.put(f"{path}/roles/moderator/members/{member['id']}")
    await api.by("carol").put(profile, json={"display_name": "Grace"})
    put = await alice.put(profile, json={"display_name": "Ada Lovelace"})
    await after(alice, granted, f"{path}/members")
    await after(alice, put, f"{path}/members")

    for name in ("Ada Lovelace", "Аdа Lоvеlасе", "ADA LOVELACE", "Ada  Lovelace", "Grасe"):
        refused = await bob.put(profile, json={"display_name": name})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/display_name")
        assert "holds a role here" in refused.json()["detail"]
    assert (await alice.put(profile, json={"display_name": "Grace"})).status_code == 422
    assert (await alice.put(profile, json={"display_name": "ADA Lovelace"})).status_code == 200
    assert (await bob.put(profile, json={"display_name": "Bob"})).status_code == 200
    assert (await api.by("dora").put(profile, json={"display_name": "BOB"})).status_code == 200


async def test_a_name_that_stood_before_its_twin_was_granted_a_role_stays(api: Api) -> None:
    path = await found(api)
    profile = f"{path}/members/me/profile"
    for who in ("bob", "carol"):
        member = await join(api, path, who)
        await api.by(who).put(profile, json={"display_name": "Robin"})
    granted = await api.by("alice").put(f"{path}/roles/moderator/members/{member['id']}")
    await after(api.by("alice"), granted, f"{path}/members")

    kept = await api.by("bob").put(profile, json={"display_name": "Robin", "bio": "The first of that name."})
    assert kept.status_code == 200
    assert (await api.by("bob").put(profile, json={"display_name": "Rоbin"})).status_code == 422
    assert (await api.by("bob").put(profile, json={})).status_code == 200
    assert (await api.by("bob").put(profile, json={"display_name": "Robin"})).status_code == 422
    revoked = await api.by("alice").delete(f"{path}/roles/moderator/members/{member['id']}")
    await after(api.by("alice"), revoked, f"{path}/members")
    assert (await api.by("bob").put(profile, json={"display_name": "Robin"})).status_code == 200
