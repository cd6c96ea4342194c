"""What somebody can learn of people, by who they are: the second table of docs/hardening.md, row by row."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import uuid4

import pytest

from shared.replicas.directory_lookup import BELIEVED
from tests.city.city import City
from tests.city.village import MEMBERS, OPERATOR, OUTSIDERS, Village
from tests.security.test_authorization import settled

EVERYBODY: Final = ("anonymous", *OUTSIDERS, *MEMBERS, OPERATOR)
MODERATORS: Final = ("moderator", "administrator", "owner")
GONE: Final = ("applicant", "withdrawn", "declined", "left", "removed")
NEVER_CAME: Final = str(uuid4())


@pytest.fixture(scope="module", params=["public", "members"])
async def village(town: City, request: pytest.FixtureRequest) -> Village:
    village = await settled(town, f"learned-{request.param}-{uuid4().hex[:6]}", request.param)
    await village.must("author", "member", "DELETE", "/members/me")
    await asyncio.sleep(BELIEVED + 0.5)
    return village


def readers(village: Village) -> tuple[str, ...]:
    """Who reads what is written there. The author has left meanwhile."""
    here = (*(who for who in MEMBERS if who != "author"), OPERATOR)
    return (*here, *OUTSIDERS, "author") if village.visibility == "public" else here


def expected(village: Village, who: str, *, may: bool, otherwise: int) -> int:
    if who == "anonymous":
        return 401
    if who not in readers(village):
        return 404
    return 200 if may else otherwise


async def told(village: Village, path: str, service: str = "member") -> dict[str, int]:
    answers = await asyncio.gather(*(village.ask(who, service, "GET", path) for who in EVERYBODY))
    return {who: answer.status for who, answer in zip(EVERYBODY, answers, strict=True)}


@pytest.mark.parametrize("status", ["member", *GONE])
async def test_who_is_here_readers_see_and_who_is_not_moderators_alone(village: Village, status: str) -> None:
    assert await told(village, f"/members?status={status}") == {
        who: expected(village, who, may=status == "member" or who in MODERATORS, otherwise=403) for who in EVERYBODY
    }


@pytest.mark.parametrize("about", ["owner", "member", "left", "author", "applicant", "declined"])
async def test_one_who_is_not_here_is_shown_to_moderators_and_to_themselves(village: Village, about: str) -> None:
    here = about in ("owner", "member")
    assert await told(village, f"/members/{village.member_ids[about]}") == {
        who: expected(village, who, may=here or who == about or who in MODERATORS, otherwise=404) for who in EVERYBODY
    }


async def test_who_went_is_to_others_as_who_never_came(village: Village) -> None:
    for who in ("member", "stranger", "left", OPERATOR):
        for method, path in (("GET", ""), ("GET", "/profile"), ("DELETE", "/profile"), ("DELETE", "")):
            answers = [
                await village.ask(who, "member", method, f"/members/{member}{path}")
                for member in (village.member_ids["author"], village.member_ids["applicant"], NEVER_CAME)
            ]
            bodies = [answer.json() for answer in answers]
            for body in bodies:
                body.pop("request_id")
            assert bodies[0] == bodies[1] == bodies[2], (who, method, path)


async def test_the_profile_of_one_who_is_not_here_is_for_moderators_and_themselves(village: Village) -> None:
    assert await told(village, f"/members/{village.member_ids['author']}/profile") == {
        who: expected(village, who, may=who == "author" or who in MODERATORS, otherwise=404) for who in EVERYBODY
    }


@pytest.mark.parametrize("path", ["", "/explain"])
async def test_the_influence_of_one_who_is_not_here_is_for_moderators_and_themselves(
    village: Village, path: str
) -> None:
    assert await told(village, f"/metrics/influence/{village.member_ids['author']}{path}", "projection") == {
        who: expected(village, who, may=who == "author" or who in MODERATORS, otherwise=404) for who in EVERYBODY
    }
    assert await told(village, f"/metrics/influence/{village.member_ids['member']}{path}", "projection") == {
        who: expected(village, who, may=True, otherwise=0) for who in EVERYBODY
    }


@pytest.mark.parametrize("path", ["/roles", "/members/me", ""])
async def test_what_one_is_oneself_one_is_told_and_roles_readers_see(village: Village, path: str) -> None:
    seen = await told(village, path)
    for who in MEMBERS:
        if who != "author":
            assert seen[who] == 200
    if path == "/members/me":
        assert [seen[who] for who in ("left", "author", "applicant", "declined")] == [200] * 4
        assert [seen[who] for who in ("stranger", "nobody", "anonymous")] == [404, 404, 401]
    else:
        assert seen == {who: expected(village, who, may=True, otherwise=0) for who in EVERYBODY}


async def test_a_decline_and_an_application_are_told_to_moderators_and_to_whom_they_are_about(village: Village) -> None:
    for about in ("applicant", "declined"):
        for who in ("moderator", "administrator", "owner"):
            shown = await village.must(who, "member", "GET", f"/members/{village.member_ids[about]}")
            assert shown["application"] is not None
        own = await village.must(about, "member", "GET", "/members/me")
        assert own["application"] is not None
