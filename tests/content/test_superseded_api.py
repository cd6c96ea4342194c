"""Words that an edit replaced or that were deleted: there until they are due, then gone; no retry brings them back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.content.test_backfill_api import CHANNEL, COMMENT, REPLY, THREAD, community, statuses
from tests.content.test_editions_api import BASE, EDITED, WHERE, shown
from tests.content.town import Json, Place, Town
from tests.vaults import forget, kept, noted_and_found

KINDS = ["threads", "replies", "comments"]


async def made(town: Town, place: Place, kind: str, body: str, by: str = "bob") -> str:
    """The path of a thing of that kind, with that body."""
    if kind == "threads":
        found = await town.ask(place, by, body=body)
    else:
        thread = await town.ask(place)
        found = await town.made(by, f"{place.path}/threads/{thread['id']}/{kind}", {"body": body})
    return f"{place.path}/{kind}/{found['id']}"


@pytest.mark.parametrize("kind", KINDS)
async def test_words_that_an_edit_replaced_are_kept_for_the_retention_and_then_forgotten(town: Town, kind: str) -> None:
    place = await town.found("bob", "carol")
    path = await made(town, place, kind, "First-zq.")
    await town.send("bob", "PATCH", path, 200, {"body": "Second-zq."})
    await town.send("alice", "PATCH", path, 200, {"body": "Third-zq."})

    await forget(town.content.runtime, timedelta(days=30))
    assert await kept(town.content.runtime, "First-zq", "Second-zq", "Third-zq") == [
        "First-zq",
        "Second-zq",
        "Third-zq",
    ]
    await forget(town.content.runtime)
    assert await kept(town.content.runtime, "First-zq", "Second-zq", "Third-zq") == ["Third-zq"]
    assert (await town.send("carol", "GET", path, 200))["body"] == "Third-zq."
    await town.send("bob", "PATCH", path, 200, {"body": "Fourth-zq."})
    await town.send("bob", "DELETE", path, 204)
    await forget(town.content.runtime)
    assert await kept(town.content.runtime, "Third-zq", "Fourth-zq") == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by", ["bob", "alice"], ids=["author", "moderator"])
async def test_what_was_deleted_is_forgotten_and_deleting_and_posting_again_change_nothing(
    town: Town, kind: str, by: str
) -> None:
    place = await town.found("bob", "carol")
    path = await made(town, place, kind, "Deleted-zq.")
    await town.send(by, "DELETE", path, 204)
    assert await kept(town.content.runtime, "Deleted-zq") == ["Deleted-zq"]
    await forget(town.content.runtime)
    assert await kept(town.content.runtime, "Deleted-zq") == []
    await town.send(by, "DELETE", path, 204)
    found = await town.send("carol", "GET", path, 200)
    assert (found["deleted"], found["body"]) == (True, None)
    await town.send("bob", "PATCH", path, 409, {"body": "Deleted-zq."})
    assert await kept(town.content.runtime, "Deleted-zq") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_words_written_again_are_new_ones(town: Town, kind: str) -> None:
    place = await town.found("bob", "carol")
    path = await made(town, place, kind, "Again-zq.")
    for body in ("Other-zq.", "Again-zq.", "Other-zq.", "Again-zq."):
        await town.send("bob", "PATCH", path, 200, {"body": body})
    await town.send("bob", "PATCH", path, 200, {"body": "Again-zq."})
    await forget(town.content.runtime)
    assert await kept(town.content.runtime, "Again-zq", "Other-zq") == ["Again-zq"]
    assert (await town.send("carol", "GET", path, 200))["body"] == "Again-zq."


async def test_an_edit_of_one_half_or_of_tags_alone_keeps_the_words_that_stand(town: Town) -> None:
    place = await town.found("bob", "carol")
    path = await made(town, place, "threads", "Body-zq.")
    await town.send("bob", "PATCH", path, 200, {"title": "Title-zq"})
    await town.send("bob", "PATCH", path, 200, {"tags": ["soil"]})
    await forget(town.content.runtime)
    found = await town.send("carol", "GET", path, 200)
    assert (found["title"], found["body"], found["tags"]) == ("Title-zq", "Body-zq.", ["soil"])
    listed = (await town.look("carol", f"{place.path}/threads"))["items"]
    assert [(item["title"], item["body"]) for item in listed] == [("Title-zq", "Body-zq.")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("forgotten", [False, True])
async def test_an_edit_that_comes_again_changes_nothing_whenever_it_comes(
    town: Town, kind: str, forgotten: bool
) -> None:
    place = await town.found("bob", "carol")
    path = await made(town, place, kind, "First.")
    edit = {"body": "Early-zq."}
    await town.send("bob", "PATCH", path, 200, edit, idempotency_key="k")
    await town.send("bob", "PATCH", path, 200, {"body": "Late-zq."}, idempotency_key="l")
    if forgotten:
        await forget(town.content.runtime)
    before = (await town.by("bob").get(path)).headers["etag"]
    said = None if forgotten else "Early-zq."
    assert (await town.send("bob", "PATCH", path, 200, edit, idempotency_key="k"))["body"] == said
    await town.send("bob", "PATCH", path, 422, {"body": "Other."}, idempotency_key="k")
    assert (await town.by("bob").get(path)).headers["etag"] == before
    await forget(town.content.runtime)
    assert await kept(town.content.runtime, "Early-zq") == []
    await town.send("bob", "DELETE", path, 204)
    assert (await town.send("bob", "PATCH", path, 200, edit, idempotency_key="k"))["body"] is None
    await forget(town.content.runtime)
    assert await kept(town.content.runtime, "Early-zq", "Late-zq") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_post_that_comes_again_after_its_words_are_gone_is_answered_without_them(town: Town, kind: str) -> None:
    place = await town.found("bob", "carol")
    thread = await town.ask(place)
    to = f"{place.path}/threads" if kind == "threads" else f"{place.path}/threads/{thread['id']}/{kind}"
    body = {"channel_id": place.channel, "title": "T"} if kind == "threads" else {}
    first = await town.send("bob", "POST", to, 201, {**body, "body": "Begun-zq."}, idempotency_key="k")
    path = f"{place.path}/{kind}/{first['id']}"
    await town.send("bob", "PATCH", path, 200, {"body": "Now."})
    await forget(town.content.runtime)
    again = await town.send("bob", "POST", to, 201, {**body, "body": "Begun-zq."}, idempotency_key="k")
    assert again == {**first, "body": None, **({"title": None} if kind == "threads" else {})}
    assert await kept(town.content.runtime, "Begun-zq") == []


async def test_edits_deletions_and_forgetting_at_once_never_take_words_that_stand(town: Town) -> None:
    place = await town.found("bob", "carol")
    paths = [await made(town, place, KINDS[n % 3], f"Begun-{n}.") for n in range(9)]
    stop = asyncio.Event()

    async def sweep() -> None:
        while not stop.is_set():
            await forget(town.content.runtime)

    async def edit(path: str, number: int) -> None:
        for turn in range(6):
            body = {"body": f"Turn {turn} of {number}."}
            answer = await town.by("bob" if number % 2 else "alice").patch(path, json=body)
            assert answer.status_code in (200, 409), answer.text
            if answer.status_code == 200:
                assert answer.json()["body"] is not None

    sweeping = [asyncio.create_task(sweep()) for _ in range(2)]
    await asyncio.gather(*(edit(path, number) for path in paths for number in range(2)))
    for path in paths[:3]:
        await town.send("alice", "DELETE", path, 204)
    stop.set()
    await asyncio.gather(*sweeping)
    await forget(town.content.runtime)
    shown = [await town.send("carol", "GET", path, 200) for path in paths]
    assert [one["body"] is None for one in shown] == [True] * 3 + [False] * 6
    assert await kept(town.content.runtime, *(f"Begun-{n}." for n in range(9))) == []


@pytest.mark.parametrize("forgotten", [False, True])
@pytest.mark.parametrize("edited_at", [EDITED, None], ids=["of one time", "of no time"])
@pytest.mark.parametrize("kind", [THREAD, REPLY, COMMENT], ids=["thread", "reply", "comment"])
async def test_an_older_edition_is_the_older_also_when_its_words_are_gone_and_a_newer_one_comes_in(
    town: Town, kind: Json, edited_at: str | None, forgotten: bool
) -> None:
    path = await community(town)
    at: dict[str, Any] = {"edited_at": edited_at} if edited_at else {}
    first = [one | at if one == kind else one for one in BASE]
    answers = await town.backfill(path, *first)
    second, third = (kind | {"body": body} | at for body in ("Zwei-zq.", "Drei-zq."))
    assert statuses(await town.backfill(path, second, third)) == ["edited"] * 2
    if forgotten:
        await forget(town.content.runtime)
        assert await kept(town.content.runtime, "Zwei-zq") == []
    assert statuses(await town.backfill(path, *first, second, third)) == ["repeated"] * 6
    assert (await shown(town, path, kind, answers))["body"] == "Drei-zq."
    fourth = kind | {"body": "Vier-zq."} | at
    assert statuses(await town.backfill(path, fourth, second)) == ["edited", "repeated"]
    await forget(town.content.runtime)
    assert await kept(town.content.runtime, "Zwei-zq", "Drei-zq") == []
    assert (await shown(town, path, kind, answers))["body"] == "Vier-zq."


async def test_an_edit_that_was_brought_in_from_long_ago_keeps_what_it_replaced_for_the_retention(town: Town) -> None:
    path = await community(town)
    await town.backfill(path, CHANNEL, THREAD | {"body": "Before-zq."})
    await town.backfill(path, THREAD | {"body": "After-zq.", "edited_at": EDITED})
    await forget(town.content.runtime, timedelta(days=30))
    assert await kept(town.content.runtime, "Before-zq", "After-zq") == ["Before-zq", "After-zq"]
    await forget(town.content.runtime)
    assert await kept(town.content.runtime, "Before-zq", "After-zq") == ["After-zq"]


async def test_what_was_deleted_and_forgotten_is_not_brought_in_again(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, *BASE)
    for one, who in ((COMMENT, "carol"), (REPLY, "alice"), (THREAD, "bob")):
        id_ = next(answer["id"] for answer in answers if answer["source"] == one["source"])
        await town.send(who, "DELETE", f"{path}/{WHERE[one['command']]}/{id_}", 204)
    await forget(town.content.runtime)
    edits = [one | {"edited_at": edited, "body": "Anew-zq."} for one in BASE[1:] for edited in (EDITED, None)]
    assert statuses(await town.backfill(path, *BASE, *edits)) == ["repeated"] * 10
    assert await kept(town.content.runtime, "Anew-zq") == []


async def test_what_was_left_behind_before_anybody_noted_it_is_found_by_the_migration(town: Town) -> None:
    place = await town.found("bob", "carol")
    for kind in KINDS:
        paths = [await made(town, place, kind, f"{n}") for n in range(3)]
        await town.send("bob", "PATCH", paths[1], 200, {"body": "Edited."})
        await town.send("bob", "PATCH", paths[2], 200, {"body": "Edited."})
        await town.send("bob", "DELETE", paths[2], 204)
    await town.send("bob", "PATCH", await made(town, place, "threads", "4"), 200, {"tags": ["soil"]})
    noted, found_out = await noted_and_found(town.content.runtime)
    assert len(noted) >= 9
    assert found_out == noted
