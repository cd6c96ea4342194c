"""Views and shares over HTTP: views once an hour, shares once a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.commands.idempotency import IdempotencyKeys, Kept
from shared.log.keys import IdempotencyKey
from tests.engagement.town import Town


async def test_a_look_counts_once_an_hour_for_each_member(town: Town) -> None:
    place, thread = await town.asked("carol")
    path = f"{place.path}/views"
    for who in ("bob", "carol"):
        await town.send(who, "PUT", f"{path}/{thread['id']}", 204)
    before = await town.events()
    await town.send("bob", "PUT", f"{path}/{thread['id']}", 204)

    # The clock may strike between two looks; then the second one counts.
    assert await town.events() - before in (0, 1)
    seen = await town.look("dora", f"{path}?target={thread['id']}")
    assert seen["views"] == 2 + await town.events() - before
    assert seen["target_id"] == thread["id"]


async def test_what_is_not_there_is_not_viewed_or_shared(town: Town) -> None:
    place, _ = await town.asked()
    missing = str(uuid4())
    await town.send("bob", "PUT", f"{place.path}/views/{missing}", 404)
    await town.send("bob", "POST", f"{place.path}/shares", 404, {"target_id": missing, "medium": "mail"})
    assert (await town.look("bob", f"{place.path}/views?target={missing}"))["views"] == 0
    assert (await town.look("bob", f"{place.path}/shares?target={missing}"))["counts"] == {}


async def test_a_share_counts_once_a_day_for_each_member_and_target(town: Town) -> None:
    place, thread = await town.asked("carol")
    path, mail = f"{place.path}/shares", {"target_id": thread["id"], "medium": "mail"}
    before = await town.events()
    first = await town.send("bob", "POST", path, 201, mail)
    for number in range(20):
        medium = ("mail", "link", "chat", "social", "other")[number % 5]
        again = await town.send("bob", "POST", path, 201, {**mail, "medium": medium}, idempotency_key=f"k{number}")
        assert again == first
    await town.send("carol", "POST", path, 201, {**mail, "medium": "link"})
    reply = await town.around.reply(place, thread)
    await town.send("bob", "POST", path, 201, {**mail, "target_id": reply["id"]})

    assert await town.events() - before == 3
    assert (await town.look("dora", f"{path}?target={thread['id']}"))["counts"] == {"link": 1, "mail": 1}


async def test_a_medium_that_is_none_is_refused(town: Town) -> None:
    place, thread = await town.asked()
    await town.send("bob", "POST", f"{place.path}/shares", 422, {"target_id": thread["id"], "medium": "pigeon"})


async def test_outsiders_neither_view_nor_share(town: Town) -> None:
    place, thread = await town.asked()
    await town.send("dora", "PUT", f"{place.path}/views/{thread['id']}", 403)
    await town.send("dora", "POST", f"{place.path}/shares", 403, {"target_id": thread["id"], "medium": "mail"})


@pytest.mark.parametrize("what", ["views", "shares"])
async def test_a_repetition_on_another_day_of_what_was_not_answered_counts_once(
    town: Town, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    place, thread = await town.asked()
    body = {"target_id": thread["id"], "medium": "mail"} if what == "shares" else None
    method, path, status = ("POST", "", 201) if body else ("PUT", f"/{thread['id']}", 204)

    async def tell(status: int) -> Any:
        return await town.send("bob", method, f"{place.path}/{what}{path}", status, body, idempotency_key="once")

    async def dies(_: IdempotencyKeys, key: IdempotencyKey, answer: bytes) -> Kept:
        raise ConnectionResetError

    def tomorrow() -> datetime:
        return datetime.now(UTC) + timedelta(hours=25)

    before = await town.events()
    with monkeypatch.context() as patch:
        patch.setattr(IdempotencyKeys, "keep", dies)
        await tell(503)
    assert await town.events() == before + 1
    monkeypatch.setattr(town.engagement.runtime, "clock", tomorrow)
    told = await tell(status)
    assert await town.events() == before + 1
    assert await tell(status) == told
    if body:
        assert (told["target_id"], told["medium"]) == (thread["id"], "mail")
