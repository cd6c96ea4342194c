"""Suggestions and votes over HTTP, on real databases: submitted, voted on, decided, answered, listed."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx2 as httpx
import pytest
import sqlalchemy as sa

from services.feedback.tables import metadata
from shared.replicas.directory_lookup import BELIEVED
from tests.feedback.conftest import Town
from tests.member.api import after
from tests.positions import positions_of

BENCHES = {"title": "More benches", "body": "There is nowhere to sit in the shade."}


async def submit(town: Town, path: str, by: str = "bob", **changes: Any) -> dict[str, Any]:
    answer = await town.by(by).post(f"{path}/suggestions", json={**BENCHES, **changes})
    assert answer.status_code == 201, answer.text
    submitted: dict[str, Any] = answer.json()
    return submitted


async def test_a_member_submits_a_suggestion_and_everybody_reads_it(town: Town) -> None:
    path = await town.found("bob")
    submitted = await submit(town, path)
    shown = await town.by("carol").get(f"{path}/suggestions/{submitted['id']}")

    assert shown.status_code == 200
    assert {**shown.json(), **submitted} == shown.json()
    assert {service for service, _ in positions_of(shown.json()["freshness"]["positions"])} == {"feedback"}
    assert {**submitted, **BENCHES} == submitted
    assert (submitted["state"], submitted["votes"], submitted["my_vote"]) == ("open", 0, False)
    assert submitted["author_id"] is not None
    assert shown.headers["etag"] == '"1"'


async def test_outsiders_do_not_submit_or_vote_and_members_do_not_decide(town: Town) -> None:
    path = await town.found("bob")
    suggestion = f"{path}/suggestions/{(await submit(town, path))['id']}"

    assert (await town.by("carol").post(f"{path}/suggestions", json=BENCHES)).status_code == 403
    assert (await town.by("carol").put(f"{suggestion}/votes/me")).status_code == 403
    for decision in ("plan", "complete", "decline"):
        assert (await town.by("bob").post(f"{suggestion}/{decision}")).status_code == 403
    assert (await town.by("bob").post(f"{suggestion}/answer", json={"text": "No."})).status_code == 403


async def test_a_submission_with_a_key_may_be_repeated_and_the_key_not_be_used_for_another(town: Town) -> None:
    path = await town.found("bob")
    for anonymous in (False, True):
        key, body = {"idempotency-key": f"k{anonymous}"}, {**BENCHES, "anonymous": anonymous}
        first = await town.by("bob").post(f"{path}/suggestions", json=body, headers=key)
        again = await town.by("bob").post(f"{path}/suggestions", json=body, headers=key)

        assert first.json() == again.json()
        assert first.headers["location"].endswith(f"/suggestions/{first.json()['id']}")
        for changed in ({"title": "Fewer"}, {"title": "more BENCHES"}, {"anonymous": not anonymous}):
            other = await town.by("bob").post(f"{path}/suggestions", json={**body, **changed}, headers=key)
            assert other.status_code == 422
            assert other.json()["type"] == "urn:guildhall:problem:idempotency-key-reused"


async def test_nothing_that_is_stored_leads_to_who_submitted_anonymously(town: Town) -> None:
    path = await town.found("bob")
    bob = (await town.member.by("bob").get(f"{path}/members/me")).json()["id"]
    answer = await town.by("bob").post(
        f"{path}/suggestions", json={**BENCHES, "anonymous": True}, headers={"idempotency-key": "1"}
    )
    submitted = answer.json()
    listed = await after(town.by("alice"), answer, f"{path}/suggestions")

    assert (submitted["author_id"], submitted["anonymous"]) == (None, True)
    assert [item["author_id"] for item in listed["items"]] == [None]
    async with town.feedback.runtime.engine.connect() as connection:
        for name in ("log", "vault", "suggestion_board", "suggestion_vote", "idempotency_key"):
            table = metadata.tables[name]
            rows = (await connection.execute(sa.select(table))).all()
            here = [str(row) for row in rows if submitted["id"] in str(row) or submitted["title"] in str(row)]
            assert not any(bob in row for row in here)
        actors = await connection.execute(
            sa.select(metadata.tables["log"].c.actor).where(metadata.tables["log"].c.stream == submitted["id"])
        )
        assert actors.scalars().all() == [None]
        times = await connection.execute(
            sa.select(metadata.tables["log"].c.occurred_at).where(metadata.tables["log"].c.stream == submitted["id"])
        )
        assert [(at.minute % 15, at.second, at.microsecond) for at in times.scalars()] == [(0, 0, 0)]


async def test_votes_count_once_each_and_can_be_taken_back(town: Town) -> None:
    path = await town.found("bob", "carol")
    suggestion = f"{path}/suggestions/{(await submit(town, path))['id']}"
    for who in ("alice", "bob", "carol", "carol"):
        assert (await town.by(who).put(f"{suggestion}/votes/me")).status_code == 204
    for _ in range(2):
        last = await town.by("bob").delete(f"{suggestion}/votes/me")
        assert last.status_code == 204

    listed = await after(town.by("carol"), last, f"{path}/suggestions")
    shown = await after(town.by("carol"), last, suggestion)
    assert [(item["votes"], item["my_vote"]) for item in listed["items"]] == [(2, True)]
    assert shown["votes"] == 2
    assert (await town.by("bob").get(suggestion)).json()["my_vote"] is False
    assert (await town.by("carol").get(suggestion)).json()["my_vote"] is True


async def test_a_vote_taken_back_says_when_it_was_given(town: Town) -> None:
    path = await town.found("bob")
    suggestion = f"{path}/suggestions/{(await submit(town, path))['id']}"
    await town.by("bob").put(f"{suggestion}/votes/me")
    await town.by("bob").delete(f"{suggestion}/votes/me")

    log = metadata.tables["log"]
    async with town.feedback.runtime.engine.connect() as connection:
        rows = await connection.execute(sa.select(log).where(log.c.type.like("%vote%")).order_by(log.c.recorded_at))
        voted, withdrawn = rows.all()[-2:]
    assert voted.version == 1
    assert withdrawn.version == 2
    assert json.loads(withdrawn.data)["voted_at"].replace("Z", "+00:00") == voted.occurred_at.isoformat()


async def test_a_suggestion_is_planned_answered_and_completed_and_votes_end(town: Town) -> None:
    path = await town.found("bob", "mo", moderator="mo")
    suggestion = f"{path}/suggestions/{(await submit(town, path))['id']}"
    mo = town.by("mo")

    planned = await mo.post(f"{suggestion}/plan", json={"reason": "In spring."})
    assert (await town.by("bob").put(f"{suggestion}/votes/me")).status_code == 204
    answered = await mo.post(f"{suggestion}/answer", json={"text": "We have asked the town."})
    completed = await mo.post(f"{suggestion}/complete")
    again = await mo.post(f"{suggestion}/complete")

    assert (planned.json()["state"], planned.json()["reason"]) == ("planned", "In spring.")
    assert (answered.json()["answer"], answered.json()["state"]) == ("We have asked the town.", "planned")
    assert (completed.json()["state"], completed.json()["reason"]) == ("completed", None)
    assert again.headers["etag"] == completed.headers["etag"]
    assert (await mo.post(f"{suggestion}/decline")).status_code == 409
    assert (await town.by("bob").put(f"{suggestion}/votes/me")).status_code == 204
    assert (await town.by("bob").delete(f"{suggestion}/votes/me")).status_code == 409
    assert (await town.by("alice").put(f"{suggestion}/votes/me")).status_code == 409


async def test_an_answer_may_be_revised_and_only_if_it_is_the_one_that_was_seen(town: Town) -> None:
    path = await town.found("bob")
    suggestion = f"{path}/suggestions/{(await submit(town, path))['id']}"
    alice = town.by("alice")
    seen = (await alice.post(f"{suggestion}/answer", json={"text": "Yes."})).headers["etag"]
    same = await alice.post(f"{suggestion}/answer", json={"text": "Yes."})
    revised = await alice.post(f"{suggestion}/answer", json={"text": "No."}, headers={"if-match": seen})
    stale = await alice.post(f"{suggestion}/answer", json={"text": "Yes!"}, headers={"if-match": seen})

    assert same.headers["etag"] == seen
    assert revised.json()["answer"] == "No."
    assert stale.status_code == 412


async def test_the_board_lists_by_votes_or_newest_and_by_state_and_answer(town: Town) -> None:
    path = await town.found("bob")
    ids = [(await submit(town, path, title=f"Idea {number}"))["id"] for number in range(4)]
    for who, number in [("bob", 1), ("alice", 1), ("bob", 3)]:
        await town.by(who).put(f"{path}/suggestions/{ids[number]}/votes/me")
    await town.by("alice").post(f"{path}/suggestions/{ids[0]}/decline", json={"reason": "No money."})
    last = await town.by("alice").post(f"{path}/suggestions/{ids[2]}/answer", json={"text": "Why?"})
    await after(town.by("bob"), last, f"{path}/suggestions")

    async def listed(query: str) -> list[int]:
        items = (await town.by("bob").get(f"{path}/suggestions{query}")).json()["items"]
        return [ids.index(item["id"]) for item in items]

    await _settled(town, path, votes=3)
    assert await listed("") == [1, 3, 2, 0]
    assert await listed("?sort=newest") == [3, 2, 1, 0]
    assert await listed("?state=declined") == [0]
    assert await listed("?answered=true") == [2]
    assert await listed("?answered=false&state=open") == [1, 3]

    seen, cursor = [], ""
    while True:
        page = (await town.by("bob").get(f"{path}/suggestions?limit=1{cursor}")).json()
        seen += [ids.index(item["id"]) for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [1, 3, 2, 0]


async def test_a_suggestion_of_another_community_is_not_found_through_this_one(town: Town) -> None:
    here, there = await town.found("bob"), await town.found("bob")
    elsewhere = f"{here}/suggestions/{(await submit(town, there))['id']}"

    alice = town.by("alice")
    assert (await alice.get(elsewhere)).status_code == 404
    assert (await alice.put(f"{elsewhere}/votes/me")).status_code == 404
    assert (await alice.delete(f"{elsewhere}/votes/me")).status_code == 404
    assert (await alice.post(f"{elsewhere}/answer", json={"text": "?"})).status_code == 404
    assert (await alice.post(f"{elsewhere}/decline")).status_code == 404
    assert (await alice.get(f"{here}/suggestions/{uuid4()}")).status_code == 404


async def test_a_deleted_suggestion_is_off_the_board_without_words_and_decided_upon_no_more(town: Town) -> None:
    path = await town.found("bob")
    gone, stays = await submit(town, path), await submit(town, path, title="More shade")
    await town.by("bob").put(f"{path}/suggestions/{gone['id']}/votes/me")
    one, bob = f"{path}/suggestions/{gone['id']}", town.by("bob")
    assert (await town.by("alice").post(f"{one}/answer", json={"text": "No."})).status_code == 200
    stale = await bob.delete(one, headers={"if-match": '"1"'})
    deleted = await bob.delete(one)
    assert (stale.status_code, deleted.status_code, (await bob.delete(one)).status_code) == (412, 204, 204)

    board = await after(bob, deleted, f"{path}/suggestions")
    assert [item["id"] for item in board["items"]] == [stays["id"]]
    shown = (await bob.get(one)).json()
    assert (shown["deleted"], shown["title"], shown["body"], shown["answer"]) == (True, None, None, None)
    assert (await town.by("alice").post(f"{one}/plan")).status_code == 409
    assert (await town.by("alice").put(f"{one}/votes/me")).status_code == 409
    assert (await bob.delete(f"{one}/votes/me")).status_code == 204


async def test_moderators_take_away_what_is_anybodys_and_anonymous(town: Town) -> None:
    path = await town.found("bob")
    signed, hidden = await submit(town, path), await submit(town, path, anonymous=True)
    assert (await town.by("bob").delete(f"{path}/suggestions/{hidden['id']}")).status_code == 403
    for suggestion in (signed, hidden):
        assert (await town.by("alice").delete(f"{path}/suggestions/{suggestion['id']}")).status_code == 204


@pytest.mark.parametrize("visibility", ["public", "members"])
async def test_who_has_left_takes_their_own_suggestions_and_votes_away(town: Town, visibility: str) -> None:
    path = await town.found("bob", visibility=visibility)
    own, others = await submit(town, path), await submit(town, path, by="alice")
    bob, alice = town.by("bob"), town.by("alice")
    for suggestion in (own, others):
        assert (await bob.put(f"{path}/suggestions/{suggestion['id']}/votes/me")).status_code == 204
    assert (await town.member.by("bob").delete(f"{path}/members/me")).status_code == 204
    await asyncio.sleep(BELIEVED + 0.2)

    hidden = visibility == "members"
    assert (await bob.put(f"{path}/suggestions/{others['id']}/votes/me")).status_code == (404 if hidden else 403)
    for _ in range(2):
        withdrawn = await bob.delete(f"{path}/suggestions/{others['id']}/votes/me")
        assert withdrawn.status_code == 204, withdrawn.text
    nowhere, foreign = uuid4(), (await submit(town, path, by="alice", title="Another"))["id"]
    for method, below in [("DELETE", ""), ("DELETE", "/votes/me")]:
        answers = [await bob.request(method, f"{path}/suggestions/{x}{below}") for x in (nowhere, foreign)]
        matched = [
            await bob.request(method, f"{path}/suggestions/{x}{below}", headers={"if-match": '"1"'})
            for x in (nowhere, foreign)
        ]
        if hidden:
            assert {answer.status_code for answer in answers} == {404}
            assert {answer.status_code for answer in matched} == {412}  # as for what is not there
            assert answers[0].json()["detail"] == answers[1].json()["detail"]
    for _ in range(2):
        assert (await bob.delete(f"{path}/suggestions/{own['id']}")).status_code == 204
    shown = (await alice.get(f"{path}/suggestions/{own['id']}")).json()
    assert (shown["deleted"], shown["title"]) == (True, None)
    board = await after(alice, withdrawn, f"{path}/suggestions/{others['id']}")
    assert board["votes"] == 0


async def _settled(town: Town, path: str, *, votes: int) -> None:
    """Read the board until it has counted so many votes; each of them is on a stream of its own."""
    for _ in range(200):
        items = (await town.by("bob").get(f"{path}/suggestions")).json()["items"]
        if sum(item["votes"] for item in items) == votes:
            return
    raise AssertionError("the board does not count the votes")


async def _sent(client: httpx.AsyncClient, path: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers to a backfill's lines."""
    content = "\n".join(json.dumps(line) for line in lines).encode()
    answer = await client.post(path, content=content, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_words_come_back_as_they_were_sent_and_a_title_shows(town: Town) -> None:
    path = await town.found("bob")
    text = "    code\n\n- e\u0301  \n\ttab  "
    submitted = await submit(town, path, title=" \u200bMore  benches\ufeff", body=f"{text}\r\n")
    suggestion = f"{path}/suggestions/{submitted['id']}"
    answered = await town.by("alice").post(f"{suggestion}/answer", json={"text": f"{text}\n"})
    planned = await town.by("alice").post(f"{suggestion}/plan", json={"reason": f"{text}\n\n"})

    assert (submitted["title"], submitted["body"]) == ("More  benches", text)
    assert (answered.json()["answer"], planned.json()["reason"]) == (text, text)
    again = await town.by("alice").post(f"{suggestion}/answer", json={"text": text})
    assert again.headers["etag"] == planned.headers["etag"]
    for title in ("\u200b", "\u3164\u2800", "More\u202e benches", "More\nbenches", "\x1b[1m!"):
        refused = await town.by("bob").post(f"{path}/suggestions", json={"title": title})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/title")
    for blank in (" ", "\n\u200b", "\u2800"):
        assert (await town.by("bob").post(f"{path}/suggestions", json={**BENCHES, "body": blank})).status_code == 422
        assert (await town.by("alice").post(f"{suggestion}/answer", json={"text": blank})).status_code == 422
        assert (await town.by("alice").post(f"{suggestion}/decline", json={"reason": blank})).status_code == 422


async def test_a_title_that_is_brought_in_loses_what_cannot_stand_in_it(town: Town) -> None:
    path = await town.found("bob")
    when = {"occurred_at": "2012-02-03T04:05:06Z", "subject": "bob", "command": "submit-suggestion"}
    lines: list[dict[str, Any]] = [
        {"source": "s:1", "title": "More\u202e\tben\x07ches\u200b", "body": "    code\n", **when},
        {"source": "s:2", "title": "\u3164\u200b", "body": "So.", **when},
        {"source": "s:3", "title": "More", "body": " \n", **when},
    ]
    client = town.by("alice", "guildhall:backfill")
    *brought, refused = await _sent(client, f"{path}/feedback/backfill", lines)
    shown = [(await client.get(f"{path}/suggestions/{line['id']}")).json() for line in brought]
    assert [(one["title"], one["body"]) for one in shown] == [("More benches", "    code"), (None, "So.")]
    assert (refused["status"], refused["problem"]["errors"][0]["pointer"]) == ("rejected", "/body")


async def test_a_page_of_long_suggestions_is_short_and_the_next_goes_on(town: Town) -> None:
    path = await town.found(*(f"writer {n}" for n in range(12)))
    long = "a" + "\x01" * 9_999
    made = [(await submit(town, path, f"writer {n}", body=long))["id"] for n in range(12)]
    for each in made:
        written = await town.by("alice").post(f"{path}/suggestions/{each}/answer", json={"text": long})
        assert written.status_code == 200, written.text
    first = await after(town.by("bob"), written, f"{path}/suggestions?limit=200&sort=newest")
    second = (await town.by("bob").get(f"{path}/suggestions?limit=200&sort=newest&cursor={first['next']}")).json()
    assert [len(first["items"]), len(second["items"])] == [8, 4]
    assert [item["id"] for item in [*first["items"], *second["items"]]] == made[::-1]
    assert second["next"] is None
