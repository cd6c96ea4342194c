"""Suggestions and votes brought in: as of then, edited by the next edition, repeated whatever became of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2 as httpx

from tests.feedback.conftest import Town
from tests.feedback.test_feedback_api import BENCHES


async def test_a_backfill_brings_suggestions_and_votes_of_then_with_or_without_words(town: Town) -> None:
    path = await town.found()
    joins = [
        {"command": "join", "source": f"old:{n}", "subject": f"old:{n}", "occurred_at": "2012-01-01T00:00:00Z"}
        for n in (1, 2)
    ]
    when = {"occurred_at": "2012-02-03T04:05:06Z"}
    lines: list[dict[str, Any]] = [
        {"command": "submit-suggestion", "source": "s:1", "subject": "old:1", **BENCHES, **when},
        {"command": "submit-suggestion", "source": "s:2", "subject": None, **when},
        {"command": "submit-suggestion", "source": "s:3", "subject": None, "anonymous": True, **when},
        {"command": "vote", "source": "v:1", "subject": "old:2", "suggestion": "s:1", **when},
        {"command": "vote", "source": "v:2", "subject": None, "suggestion": "s:1", **when},
        {"command": "vote", "source": "v:3", "subject": "old:2", "suggestion": "s:9", **when},
    ]
    admin = town.member.by("alice", "guildhall:backfill")
    await _sent(admin, f"{path}/member/backfill", joins)
    client = town.by("alice", "guildhall:backfill")
    first = await _sent(client, f"{path}/feedback/backfill", lines)
    again = await _sent(client, f"{path}/feedback/backfill", lines)

    assert [line["status"] for line in first] == ["applied"] * 4 + ["rejected"] * 2
    assert [line["status"] for line in again] == ["repeated"] * 4 + ["rejected"] * 2
    shown = [(await client.get(f"{path}/suggestions/{line['id']}")).json() for line in first[:3]]
    assert [(s["title"], s["author_id"] is None, s["anonymous"]) for s in shown] == [
        ("More benches", False, False),
        (None, True, False),
        (None, True, True),
    ]
    # One after the other, as the lines were; nobody's by the quarter of an hour.
    assert [s["submitted_at"] for s in shown] == [f"2012-02-03T04:{at}Z" for at in ("05:06", "05:06.000001", "00:00")]


async def test_what_was_brought_in_once_is_not_brought_in_again_whatever_became_of_it(town: Town) -> None:
    path = await town.found("bob")
    when = {"occurred_at": "2012-02-03T04:05:06Z"}
    lines: list[dict[str, Any]] = [
        {"command": "submit-suggestion", "source": "s:1", "subject": "bob", **BENCHES, **when},
        {"command": "submit-suggestion", "source": "s:2", "subject": None, "anonymous": True, **when},
        {"command": "vote", "source": "v:1", "subject": "bob", "suggestion": "s:1", **when},
    ]
    client = town.by("alice", "guildhall:backfill")
    first = await _sent(client, f"{path}/feedback/backfill", lines)
    suggestion = f"{path}/suggestions/{first[0]['id']}"
    assert (await town.by("bob").delete(f"{suggestion}/votes/me")).status_code == 204
    assert (await client.post(f"{suggestion}/decline")).status_code == 200
    again = await _sent(client, f"{path}/feedback/backfill", lines)

    assert [line["status"] for line in first] == ["applied"] * 3
    assert [line["status"] for line in again] == ["repeated"] * 3
    shown = (await town.by("bob").get(suggestion)).json()
    assert (shown["my_vote"], shown["state"]) == (False, "declined")


async def test_the_next_edition_of_a_suggestion_edits_it_also_where_it_is_settled(town: Town) -> None:
    path = await town.found("bob")
    line = {"command": "submit-suggestion", "source": "s:1", "subject": "bob", "occurred_at": "2012-02-03T04:05:06Z"}
    client, at = town.by("alice", "guildhall:backfill"), f"{path}/feedback/backfill"
    first, without = await _sent(client, at, [{**line, **BENCHES}, line])
    suggestion = f"{path}/suggestions/{first['id']}"
    assert (await client.post(f"{suggestion}/complete")).status_code == 200
    edition = {**line, "title": "More shade", "edited_at": "2013-01-01T00:00:00Z"}
    older = {**line, "title": "Less shade", "edited_at": "2012-12-31T00:00:00Z"}
    told = [(await _sent(client, at, [sent]))[0]["status"] for sent in (edition, edition, older, {**line, **BENCHES})]

    assert [first["status"], without["status"], *told] == ["applied", "repeated", "edited", *["repeated"] * 3]
    shown = (await town.by("bob").get(suggestion)).json()
    assert (shown["title"], shown["body"], shown["state"]) == ("More shade", BENCHES.get("body"), "completed")
    assert await _listed(town, path, "More shade")


async def test_an_edition_of_an_anonymous_suggestion_names_nobody(town: Town) -> None:
    path = await town.found("bob")
    line = {"command": "submit-suggestion", "source": "s:1", "subject": "bob", "occurred_at": "2012-02-03T04:05:06Z"}
    client, at = town.by("alice", "guildhall:backfill"), f"{path}/feedback/backfill"
    hidden = {**line, **BENCHES, "anonymous": True}
    (refused,) = await _sent(client, at, [hidden])
    assert refused["problem"]["errors"][0]["pointer"] == "/subject"
    await _sent(client, at, [{**hidden, "subject": None}])
    (edited,) = await _sent(client, at, [{**line, "title": "More shade", "edited_at": "2013-01-01T00:07:08Z"}])

    assert (edited["status"], edited.get("member")) == ("edited", None)
    shown = (await client.get(f"{path}/suggestions/{edited['id']}")).json()
    assert shown["submitted_at"] == "2012-02-03T04:00:00Z"
    log = town.feedback.runtime.log
    assert log is not None
    assert [record.actor for record in await log.load(UUID(edited["id"]))] == [None, None]


async def test_a_vote_for_what_was_settled_since_comes_in_and_a_later_one_does_not(town: Town) -> None:
    path = await town.found("bob", "carol")
    when = {"occurred_at": "2012-02-03T04:05:06Z"}
    client, at = town.by("alice", "guildhall:backfill"), f"{path}/feedback/backfill"
    (made,) = await _sent(client, at, [{"command": "submit-suggestion", "source": "s:1", "subject": "bob", **when}])
    assert (await client.post(f"{path}/suggestions/{made['id']}/decline")).status_code == 200
    now = {"occurred_at": datetime.now(UTC).isoformat()}
    votes = [
        {"command": "vote", "source": "v:1", "subject": "bob", "suggestion": "s:1", **when},
        {"command": "vote", "source": "v:2", "subject": "carol", "suggestion": "s:1", **now},
    ]

    early, late = await _sent(client, at, votes)
    assert (early["status"], late["status"], late["problem"]["status"]) == ("applied", "rejected", 409)


async def test_a_vote_told_of_before_what_was_decided_on_it_since_changes_nothing(town: Town) -> None:
    path = await town.found("bob")
    client, at = town.by("alice", "guildhall:backfill"), f"{path}/feedback/backfill"
    when = {"occurred_at": "2012-02-03T04:05:06Z"}
    (made,) = await _sent(client, at, [{"command": "submit-suggestion", "source": "s:1", "subject": "bob", **when}])
    own = f"{path}/suggestions/{made['id']}/votes/me"
    assert (await town.by("bob").put(own)).status_code == 204
    assert (await town.by("bob").delete(own)).status_code == 204
    line = {"command": "vote", "source": "v:1", "subject": "bob", "suggestion": "s:1"}
    (early,) = await _sent(client, at, [{**line, "occurred_at": "2012-03-03T04:05:06Z"}])
    (late,) = await _sent(client, at, [{**line, "occurred_at": datetime.now(UTC).isoformat()}])

    assert (early["status"], late["status"]) == ("repeated", "repeated")
    assert [part["pointer"] for part in late["left_out"]] == [""]
    assert (await town.by("bob").get(f"{path}/suggestions/{made['id']}")).json()["my_vote"] is False


async def test_a_suggestion_that_was_voted_for_here_keeps_its_words(town: Town) -> None:
    path = await town.found("bob", "carol")
    client, at = town.by("alice", "guildhall:backfill"), f"{path}/feedback/backfill"
    line = {"command": "submit-suggestion", "source": "s:1", "subject": "bob", "occurred_at": "2012-02-03T04:05:06Z"}
    vote = {"command": "vote", "source": "v:1", "subject": "bob", "suggestion": "s:1"}
    made, _ = await _sent(client, at, [{**line, **BENCHES}, {**vote, "occurred_at": "2012-02-04T04:05:06Z"}])
    suggestion = f"{path}/suggestions/{made['id']}"
    edition = {**line, "title": "More shade", "edited_at": "2013-01-01T00:00:00Z"}
    (edited,) = await _sent(client, at, [edition])
    assert edited["status"] == "edited"
    alice = (await town.member.by("alice").get(f"{path}/members/me")).json()["id"]
    shown = (await town.by("carol").get(suggestion)).json()
    assert (shown["edited_by"], shown["edited_at"]) == (alice, "2013-01-01T00:00:00Z")
    assert await _listed(town, path, "More shade")
    (listed,) = (await town.by("carol").get(f"{path}/suggestions")).json()["items"]
    assert (listed["edited_by"], listed["edited_at"]) == (shown["edited_by"], shown["edited_at"])

    assert (await town.by("carol").put(f"{suggestion}/votes/me")).status_code == 204
    for _ in range(200):
        if (await town.by("carol").get(suggestion)).json()["votes"] == 2:
            break
    for later in ({"edited_at": datetime.now(UTC).isoformat()}, {"edited_at": "2013-01-02T00:00:00Z"}):
        (told,) = await _sent(client, at, [{**edition, "title": "No shade", **later}])
        assert (told["status"], [part["pointer"] for part in told["left_out"]]) == ("repeated", [""])
    assert (await town.by("carol").get(suggestion)).json()["title"] == "More shade"


async def test_a_title_that_is_too_long_is_cut_and_the_suggestion_comes_in(town: Town) -> None:
    path = await town.found("bob")
    line = {"command": "submit-suggestion", "source": "s:1", "subject": "bob", "occurred_at": "2012-02-03T04:05:06Z"}
    client, at = town.by("alice", "guildhall:backfill"), f"{path}/feedback/backfill"
    first, again = await _sent(client, at, [{**line, "title": "b" * 201, "body": "Benches."}] * 2)

    assert [first["status"], again["status"]] == ["applied", "repeated"]
    assert [part["pointer"] for part in first["left_out"]] == ["/title"]
    shown = (await town.by("bob").get(f"{path}/suggestions/{first['id']}")).json()
    assert (shown["title"], shown["body"]) == ("b" * 199 + "…", "Benches.")


async def _listed(town: Town, path: str, title: str) -> bool:
    """Whether the board comes to say so."""
    for _ in range(200):
        items = (await town.by("bob").get(f"{path}/suggestions")).json()["items"]
        if [item["title"] for item in items] == [title]:
            return True
    return False


async def _sent(client: httpx.AsyncClient, path: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers to a backfill's lines."""
    content = "\n".join(json.dumps(line) for line in lines).encode()
    answer = await client.post(path, content=content, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]
