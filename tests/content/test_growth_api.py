"""What stands may be edited as long as it does not grow, also where it is longer than what may be written here."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from services.content.bodies import BODY
from services.content.tables import metadata
from services.content.threads.tagging import retagged
from shared.events.errors import Invalid
from tests.content.test_backfill_api import CHANNEL, COMMENT, REPLY, THREAD, community
from tests.content.town import Json, Town

LONG = "b" * 40_000


@pytest.fixture(params=["threads", "replies", "comments"])
async def imported(request: pytest.FixtureRequest, town: Town) -> tuple[str, str]:
    """The path of something of 40,000 characters that was brought in, and its author."""
    path, long = await community(town), {"body": LONG, "subject": "bob"}
    dump = [CHANNEL, THREAD | long, REPLY | long, COMMENT | long]
    answers = await town.backfill(path, *dump)
    number = ["threads", "replies", "comments"].index(request.param) + 1
    return f"{path}/{request.param}/{answers[number]['id']}", "bob"


async def test_an_author_corrects_what_is_longer_than_may_be_written(town: Town, imported: tuple[str, str]) -> None:
    path, bob = imported
    for body in ("c" + LONG[1:], LONG[:39_000], "d" * 30_001, "e" * 30_000):
        assert (await town.send(bob, "PATCH", path, 200, {"body": body}))["body"] == body
    problem = await town.send(bob, "PATCH", path, 422, {"body": "f" * 30_001})
    assert problem["errors"][0]["pointer"] == "/body"
    assert "30,001" in problem["detail"]
    assert "30,000" in problem["detail"]


async def test_what_grows_is_refused_with_both_numbers(town: Town, imported: tuple[str, str]) -> None:
    path, bob = imported
    for by in (bob, "alice"):
        problem = await town.send(by, "PATCH", path, 422, {"body": LONG + "b"})
        assert problem["errors"][0]["pointer"] == "/body"
        assert all(number in problem["detail"] for number in ("40,001", "30,000", "40,000"))
    await town.send(bob, "PATCH", path, 422, {"body": "b" * 150_001})


async def test_an_edit_that_is_repeated_with_its_key_is_the_same_whatever_stands_then(
    town: Town, imported: tuple[str, str]
) -> None:
    path, bob = imported
    first = {"idempotency_key": "first"}
    answer = await town.send(bob, "PATCH", path, 200, {"body": LONG[1:]}, **first)
    await town.send(bob, "PATCH", path, 200, {"body": "Short."})
    assert await town.send(bob, "PATCH", path, 200, {"body": LONG[1:]}, **first) == answer
    assert (await town.send(bob, "GET", path, 200))["body"] == "Short."


async def test_what_is_new_keeps_to_the_limit(town: Town) -> None:
    place = await town.found("bob")
    at = f"{place.path}/threads"
    thread: Json = await town.ask(place, body="b" * BODY)
    too_long = {"body": "b" * (BODY + 1)}
    await town.send("bob", "POST", at, 422, {"title": "How?", "channel_id": place.channel, **too_long})
    await town.send("bob", "POST", f"{at}/{thread['id']}/replies", 422, too_long)
    await town.send("bob", "POST", f"{at}/{thread['id']}/comments", 422, too_long)
    await town.send("bob", "PATCH", f"{at}/{thread['id']}", 422, too_long)


STANDING = ("Q&A", *(f"tag-{n}" for n in range(11)))
"""Tags as an older rule may have taken them: twelve, and one that is none today."""


@pytest.mark.parametrize(
    ("wanted", "tags"),
    [
        (STANDING, STANDING),
        (STANDING[:11], STANDING[:11]),
        (["Q&A", "Roses", "roses"], ("Q&A", "roses")),
        ([*STANDING[:11], "roses"], (*STANDING[:11], "roses")),
        ([], ()),
    ],
)
def test_tags_that_stand_may_stay(wanted: Any, tags: tuple[str, ...]) -> None:
    assert retagged(wanted, STANDING) == tags


@pytest.mark.parametrize(
    ("wanted", "present", "pointer"),
    [
        (["q&a"], STANDING, "/tags/0"),
        (["roses", "A&Q"], STANDING, "/tags/1"),
        ([*STANDING, "roses"], STANDING, "/tags"),
        ([f"tag-{n}" for n in range(11)], ("roses",), "/tags"),
    ],
)
def test_new_tags_are_tags_of_today(wanted: Any, present: Any, pointer: str) -> None:
    with pytest.raises(Invalid) as raised:
        retagged(wanted, present)
    assert raised.value.body()["errors"] == [{"pointer": pointer, "detail": raised.value.detail}]


async def test_a_thread_keeps_the_tags_it_has_when_one_is_added(town: Town) -> None:
    place = await town.found("bob")
    thread = await town.ask(place)
    path, log = f"{place.path}/threads/{thread['id']}", metadata.tables["log"]
    assert (await town.send("bob", "PATCH", path, 200, {"tags": ["Roses", "SOIL", "soil"]}))["tags"] == [
        "roses",
        "soil",
    ]
    problem = await town.send("bob", "PATCH", path, 422, {"tags": ["roses", "two words"]})
    assert problem["errors"][0]["pointer"] == "/tags/1"
    async with town.content.runtime.engine.connect() as connection:
        of_it = sa.select(sa.func.count()).where(log.c.stream == sa.cast(thread["id"], sa.UUID))
        assert await connection.scalar(of_it) == 2
