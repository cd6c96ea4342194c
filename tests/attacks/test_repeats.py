"""The second test, 4 and 11: a request that comes again with its key shows nothing it may not, and is one request."""

from __future__ import annotations

import asyncio
from uuid import UUID

from tests.attacks.target import BELIEVED, Target


async def test_a_repetition_shows_no_words_that_were_taken_away_or_may_not_be_read_now(target: Target) -> None:
    place = await target.found("bob", visibility="members", mo="moderator")
    suggestion, key = await place.suggestion("bob"), {"idempotency-key": "k1"}
    plan = f"/suggestions/{suggestion}/plan"
    first = await place.by("mo", "POST", plan, {}, headers=key)
    assert (first.status_code, place.canary in first.text) == (200, True)
    assert (await place.by("mo", "POST", plan, {}, headers=key)).json() == first.json()

    await place.must("bob", "DELETE", f"/suggestions/{suggestion}")
    again = await place.by("mo", "POST", plan, {}, headers=key)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json() == {**first.json(), "title": None, "body": None}

    standing = f"/suggestions/{await place.suggestion('bob')}/plan"
    assert place.canary in (await place.by("mo", "POST", standing, {}, headers=key)).text
    await place.must("alice", "DELETE", f"/members/{place.ids['mo']}")
    await asyncio.sleep(BELIEVED)
    before = len(await place.events("feedback"))
    assert (await place.by("mo", "POST", standing, {})).status_code == 404
    for path in (plan, standing):
        again = await place.by("mo", "POST", path, {}, headers=key)
        assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
        assert place.canary not in again.text
        assert UUID(again.json()["id"])
    assert len(await place.events("feedback")) == before


async def test_a_repetition_of_what_moderators_see_shows_it_to_no_moderator_of_before(target: Target) -> None:
    place = await target.found(admission="application", mo="moderator")
    body = {"answers": [{"question": "Why?", "answer": place.canary}]}
    eve = (await place.must("eve", "POST", "/members", body))["id"]
    decline, key = f"/members/{eve}/decline", {"idempotency-key": "k1"}
    assert place.canary in (await place.by("mo", "POST", decline, {}, headers=key)).text

    await place.must("alice", "DELETE", f"/roles/moderator/members/{place.ids['mo']}")
    await asyncio.sleep(BELIEVED)
    again = await place.by("mo", "POST", decline, {}, headers=key)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert place.canary not in again.text


async def test_one_key_is_one_request_however_the_ids_in_its_path_are_written(target: Target) -> None:
    place = await target.found("bob")
    thread = await place.thread()
    ways = [thread, UUID(thread).hex, UUID(thread).urn, f"%7B{thread}%7D", thread.upper()]
    answers = [
        await place.by("bob", "POST", f"/threads/{way}/replies", {"body": "R"}, headers={"idempotency-key": "k1"})
        for way in ways
    ]
    assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {(201, answers[0].json()["id"])}
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, *["true"] * 4]
