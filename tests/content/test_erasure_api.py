"""Who is erased leaves no words, also where a moderator had put them right, and no request brings any back."""

from __future__ import annotations

from uuid import UUID, uuid4

import httpx2 as httpx

from deploy.operations.erase import found_in, order
from shared.db import driver
from shared.events.identity import community_id
from shared.vault import PostgresVault, vault_row
from tests.content.test_backfill_api import CHANNEL, THREAD, community, statuses
from tests.content.town import QUESTION, Json, Place, Town
from tests.vaults import erased, kept

SEEDED = [f"Seed{number}-zq" for number in range(7)]
UPDATE = "update vault set content = $3, subject = $2 where ref = (select ref from vault where community = $1 limit 1)"


async def erase(town: Town, place: Place, who: str = "bob") -> tuple[UUID, int]:
    """Erase a member everywhere; who it was, and how many texts content had of them."""
    community = community_id(place.path.rpartition("/")[2])
    assert community is not None
    member = UUID((await town.member.by(who).get(f"{place.path}/members/me")).json()["id"])
    assert await order(town.member.runtime.settings, community, member)
    assert not await order(town.member.runtime.settings, community, member)  # once is for ever
    await erased(town.member.runtime, community, member)
    return member, await erased(town.content.runtime, community, member)


async def keyed(town: Town, place: Place, key: str, body: Json) -> httpx.Response:
    path, headers = f"{place.path}/threads", {"idempotency-key": key}
    return await town.by("bob").post(path, json={"channel_id": place.channel, **body}, headers=headers)


async def test_no_word_is_left_that_stood_was_replaced_was_deleted_or_was_put_right_by_others(town: Town) -> None:
    place = await town.found("bob", "carol")
    thread = await town.ask(place, title=SEEDED[0], body=SEEDED[1])
    await town.send("bob", "PATCH", f"{place.path}/threads/{thread['id']}", 200, {"body": SEEDED[2]})
    reply = await town.reply(place, thread, "bob", SEEDED[3])
    await town.send("alice", "PATCH", f"{place.path}/replies/{reply['id']}", 200, {"body": f"Put right: {SEEDED[4]}"})
    gone = await town.reply(place, thread, "bob", SEEDED[5])
    await town.send("alice", "DELETE", f"{place.path}/replies/{gone['id']}", 204)
    others = await town.reply(place, thread, "carol", "Others-zq")
    runtime = town.content.runtime
    assert await kept(runtime, *SEEDED) == SEEDED[:6]

    _, texts = await erase(town, place)

    assert texts == 5  # two editions of the thread, two of the reply, the one that was deleted
    assert await kept(runtime, *SEEDED, "Others-zq") == ["Others-zq"]
    shown = await town.send("carol", "GET", f"{place.path}/threads/{thread['id']}", 200)
    assert (shown["title"], shown["body"], shown["author_id"]) == (None, None, thread["author_id"])
    assert (await town.send("carol", "GET", f"{place.path}/replies/{others['id']}", 200))["body"] == "Others-zq"
    async with driver(runtime.engine) as connection:
        left = await connection.fetchval("select count(*) from vault where content is null and fingerprint is not null")
    assert left == 0  # nothing by which they could be known again


async def test_a_retry_is_answered_without_words_and_what_is_new_is_refused(town: Town) -> None:
    place = await town.found("bob")
    body = {**QUESTION, "body": SEEDED[0]}
    key, runtime = str(uuid4()), town.content.runtime
    first = await keyed(town, place, key, body)
    assert (first.status_code, first.json()["body"]) == (201, SEEDED[0])
    await erase(town, place)

    again = await keyed(town, place, key, body)
    assert again.status_code == 201
    assert (again.json()["id"], again.json()["title"], again.json()["body"]) == (first.json()["id"], None, None)
    assert SEEDED[0] not in again.text
    async with driver(runtime.engine) as connection:
        await connection.execute("delete from idempotency_key")  # they expire; the thread is known by its id
    late = await keyed(town, place, key, body)
    assert (late.status_code, late.json()["body"]) == (201, None)
    new = await keyed(town, place, str(uuid4()), body)
    edited = await town.by("bob").patch(f"{place.path}/threads/{first.json()['id']}", json={"body": SEEDED[1]})
    for answer in (new, edited):
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:guildhall:problem:erased")
    assert await kept(runtime, *SEEDED) == []


async def test_an_import_brings_nothing_back_and_says_so(town: Town) -> None:
    path = await community(town)
    line = {**THREAD, "body": SEEDED[0]}
    applied = await town.backfill(path, CHANNEL, line)
    assert statuses(applied) == ["applied", "applied"]
    member, texts = await erase(town, Place(path, ""))
    assert (str(member), texts) == (applied[1]["member"], 1)

    answers = await town.backfill(path, line, {**line, "source": "se:new", "body": SEEDED[1]})

    assert statuses(answers) == ["repeated", "rejected"], answers
    assert answers[1]["problem"]["type"] == "urn:guildhall:problem:erased"
    assert await kept(town.content.runtime, *SEEDED) == []


async def test_words_that_slipped_in_or_came_from_a_backup_are_erased_at_the_next_look(town: Town) -> None:
    place = await town.found("bob", "carol")
    await town.ask(place, "carol")
    member, _ = await erase(town, place)
    runtime, community = town.content.runtime, community_id(place.path.rpartition("/")[2])
    assert isinstance(runtime.vault, PostgresVault)
    assert community is not None
    row = vault_row(community, member, uuid4(), {"body": SEEDED[0]})
    async with driver(runtime.engine) as connection:
        await connection.execute(UPDATE, community, member, row.content)  # what no trigger saw
        assert await kept(runtime, SEEDED[0]) == [SEEDED[0]]
        assert (await found_in(connection, community, member)).texts == 1
        assert await runtime.vault.erase_marked() == 1
        assert (await found_in(connection, community, member)).done
    assert await kept(runtime, SEEDED[0]) == []
