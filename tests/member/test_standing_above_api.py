"""What is done to somebody's name or mark is done by who stands above them; what an applicant said is taken back."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from services.member.tables import metadata
from shared.replicas.directory_lookup import BELIEVED
from tests.member.api import Json, after, found, grant, join
from tests.member.running import Api

ADA = {"display_name": "Ada Lovelace", "bio": "Zxqv writes about numbers."}
ROLES = ("owner", "administrator", "moderator", "member")


async def staffed(api: Api) -> tuple[str, dict[str, str]]:
    """A community with one of each role, and their ids; who holds it is called as the role. `owner` founded it."""
    path = await found(api, "owner")
    ids = {role: (await join(api, path, role))["id"] for role in ROLES if role != "owner"}
    ids["owner"] = (await api.by("owner").get(f"{path}/members/me")).json()["id"]
    for role in ("administrator", "moderator"):
        await grant(api, path, role, ids[role], by="owner")
    await asyncio.sleep(BELIEVED + 0.2)
    return path, ids


async def test_a_profile_is_emptied_by_who_stands_above(api: Api) -> None:
    path, ids = await staffed(api)
    for of in ROLES:
        for by in ROLES:
            await api.by(of).put(f"{path}/members/me/profile", json={"bio": "Zxqv"})
            answer = await api.by(by).delete(f"{path}/members/{ids[of]}/profile")
            may = by == of or (ROLES.index(by) < ROLES.index(of) and by != "member")
            assert answer.status_code == (204 if may else 403), (by, of, answer.text)


async def test_a_robot_is_marked_by_who_stands_above(api: Api) -> None:
    path, ids = await staffed(api)
    for of in ROLES:
        for by in ("owner", "administrator"):
            may = by == of or ROLES.index(by) < ROLES.index(of)
            for method in ("PUT", "DELETE"):
                answer = await api.by(by).request(method, f"{path}/members/{ids[of]}/robot")
                assert answer.status_code == (204 if may else 403), (by, method, of, answer.text)


async def test_the_owner_keeps_their_name_against_a_moderator(api: Api) -> None:
    path, ids = await staffed(api)
    put = await api.by("owner").put(f"{path}/members/me/profile", json=ADA)
    assert (await api.by("moderator").delete(f"{path}/members/{ids['owner']}/profile")).status_code == 403
    assert (await api.by("moderator").put(f"{path}/members/me/profile", json=ADA)).status_code == 422
    listed = await after(api.by("moderator"), put, f"{path}/members")
    assert [item["id"] for item in listed["items"] if item["display_name"] == "Ada Lovelace"] == [ids["owner"]]


async def test_nobody_takes_a_role_holders_name_in_the_same_moment(api: Api) -> None:
    path, _ = await staffed(api)
    for n in range(10):
        body = {"display_name": f"Chief {n}"}
        of_owner = api.by("owner").put(f"{path}/members/me/profile", json=body)
        of_others = [api.by(who).put(f"{path}/members/me/profile", json=body) for who in ("moderator", "administrator")]
        statuses = [answer.status_code for answer in await asyncio.gather(of_owner, *of_others)]
        assert statuses.count(200) == 1, statuses
        assert set(statuses) <= {200, 409, 422}


async def test_words_that_are_put_again_while_others_come_are_there_afterwards(api: Api) -> None:
    path = await found(api)
    alice, profile = api.by("alice"), f"{path}/members/me/profile"
    for n in range(10):
        old, new = {"bio": f"Old {n}"}, {"bio": f"New {n}"}
        await alice.put(profile, json=old)
        answers = await asyncio.gather(*(alice.put(profile, json=body) for body in (new, old, new, old)))
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert (await alice.get(profile)).json() in (old, new)


ANSWERS = {"answers": [{"question": "Why?", "answer": "Zxqv because."}]}


async def kept(api: Api) -> list[bytes]:
    vault = metadata.tables["vault"]
    async with api.runtime.engine.connect() as connection:
        rows = await connection.execute(sa.select(vault.c.content).where(vault.c.content.is_not(None)))
        return [row for row in rows.scalars() if b"Zxqv because" in row]


async def applied(api: Api, path: str) -> Json:
    answer = await api.by("bob").post(f"{path}/members", json=ANSWERS)
    assert answer.status_code == 201, answer.text
    assert await kept(api)
    return answer.json()  # type: ignore[no-any-return]


@pytest.mark.parametrize("first", ["waiting", "declined"])
async def test_what_an_applicant_said_is_taken_back_for_good(api: Api, first: str) -> None:
    path = await found(api, admission="application", visibility="members")
    bob = (await applied(api, path))["id"]
    if first == "declined":
        await api.by("alice").post(f"{path}/members/{bob}/decline", json={"reason": "Zxqv because we are full."})
    await asyncio.sleep(BELIEVED + 0.2)
    for _ in range(2):
        assert (await api.by("bob").delete(f"{path}/members/me")).status_code == 204
    shown = (await api.by("alice").get(f"{path}/members/{bob}")).json()
    assert (shown["status"], shown["application"]) == ("withdrawn", {"answers": None, "reason": None})
    assert not await kept(api)


async def test_what_an_applicant_said_is_gone_once_they_are_let_in(api: Api) -> None:
    path = await found(api, admission="application")
    bob = (await applied(api, path))["id"]
    assert (await api.by("alice").post(f"{path}/members/{bob}/acceptance")).status_code == 200
    assert not await kept(api)


async def test_who_applies_again_leaves_nothing_of_the_application_before(api: Api) -> None:
    path = await found(api, admission="application")
    bob = (await applied(api, path))["id"]
    await api.by("alice").post(f"{path}/members/{bob}/decline")
    again = {"answers": [{"question": "Why?", "answer": "Something else."}]}
    assert (await api.by("bob").post(f"{path}/members", json=again)).status_code == 201
    assert not await kept(api)
