"""Words of suggestions, answers and reasons that stand no more are forgotten, anonymous ones too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.feedback.conftest import Town
from tests.feedback.test_feedback_api import submit
from tests.vaults import forget, kept, noted_and_found

Json = dict[str, Any]


async def send(
    town: Town, by: str, method: str, path: str, status: int, body: Json | None = None, key: str = ""
) -> Any:
    answer = await town.by(by).request(method, path, json=body, headers={"idempotency-key": key} if key else {})
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def brought_in(town: Town, path: str, *lines: Json) -> list[Json]:
    answer = await town.by("alice", "guildhall:backfill").post(
        f"{path}/feedback/backfill",
        content="".join(json.dumps(line) + "\n" for line in lines),
        headers={"content-type": "application/x-ndjson"},
    )
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize("anonymous", [False, True])
async def test_a_deleted_suggestion_takes_all_that_was_said_of_it_along(town: Town, anonymous: bool) -> None:
    path = await town.found("bob", "carol")
    body = {"title": "Title-zq", "body": "Body-zq.", "anonymous": anonymous}
    suggestion = f"{path}/suggestions/{(await send(town, 'bob', 'POST', f'{path}/suggestions', 201, body, 'k'))['id']}"
    await send(town, "alice", "POST", f"{suggestion}/answer", 200, {"text": "Answer-zq."})
    await send(town, "alice", "POST", f"{suggestion}/plan", 200, {"reason": "Reason-zq."})
    await forget(town.feedback.runtime)
    words = ("Title-zq", "Body-zq", "Answer-zq", "Reason-zq")
    assert await kept(town.feedback.runtime, *words) == list(words)
    await send(town, "alice", "DELETE", suggestion, 204)
    await forget(town.feedback.runtime)
    assert await kept(town.feedback.runtime, *words) == []

    await send(town, "bob", "POST", f"{path}/suggestions", 201, body, "k")
    await send(town, "alice", "POST", f"{suggestion}/answer", 409, {"text": "Answer-zq."})
    await send(town, "alice", "DELETE", suggestion, 204)
    shown = await send(town, "carol", "GET", suggestion, 200)
    assert [shown[name] for name in ("deleted", "title", "body", "answer", "reason")] == [True, *[None] * 4]
    assert await kept(town.feedback.runtime, *words) == []


async def test_an_answer_that_was_replaced_goes_and_no_retry_brings_it_back(town: Town) -> None:
    path = await town.found("bob")
    answer = f"{path}/suggestions/{(await submit(town, path))['id']}/answer"
    early, late = {"text": "Early-zq."}, {"text": "Late-zq."}
    await send(town, "alice", "POST", answer, 200, early, "k")
    assert (await send(town, "alice", "POST", answer, 200, early, "k"))["answer"] == "Early-zq."
    await send(town, "alice", "POST", answer, 422, {"text": "Other."}, "k")
    await send(town, "alice", "POST", answer, 200, late, "l")
    assert (await send(town, "alice", "POST", answer, 200, early, "k"))["answer"] == "Early-zq."
    await forget(town.feedback.runtime)
    assert (await send(town, "alice", "POST", answer, 200, early, "k"))["answer"] is None
    assert await kept(town.feedback.runtime, "Early-zq", "Late-zq") == ["Late-zq"]

    assert (await send(town, "alice", "POST", answer, 200, early))["answer"] == "Early-zq."  # without a key it is new
    await forget(town.feedback.runtime)
    assert (await send(town, "bob", "GET", answer.removesuffix("/answer"), 200))["answer"] == "Early-zq."
    assert await kept(town.feedback.runtime, "Late-zq") == []


@pytest.mark.parametrize("end", ["complete", "decline"])
async def test_a_reason_goes_with_its_state_and_one_that_is_given_again_stays(town: Town, end: str) -> None:
    path = await town.found("bob")
    other, same = [f"{path}/suggestions/{(await submit(town, path))['id']}" for _ in range(2)]
    for suggestion in (other, same):
        await send(town, "alice", "POST", f"{suggestion}/plan", 200, {"reason": f"Plan-zq {suggestion}"})
    await send(town, "alice", "POST", f"{other}/{end}", 200, {"reason": "End-zq."})
    await send(town, "alice", "POST", f"{same}/{end}", 200, {"reason": f"Plan-zq {same}"})
    await forget(town.feedback.runtime)
    assert await kept(town.feedback.runtime, f"Plan-zq {other}", f"Plan-zq {same}", "End-zq") == [
        f"Plan-zq {same}",
        "End-zq",
    ]
    assert (await send(town, "bob", "GET", same, 200))["reason"] == f"Plan-zq {same}"


@pytest.mark.parametrize("forgotten", [False, True])
async def test_editions_replace_words_and_older_ones_do_not_bring_them_back(town: Town, forgotten: bool) -> None:
    path = await town.found("bob")
    when = {"command": "submit-suggestion", "source": "s", "subject": "bob", "occurred_at": "2012-02-03T04:05:06Z"}
    first, second, third = ({**when, "title": "T", "body": f"{n}-zq."} for n in ("Eins", "Zwei", "Drei"))
    answers = await brought_in(town, path, first, second, third)
    assert [answer["status"] for answer in answers] == ["applied", "edited", "edited"]
    if forgotten:
        await forget(town.feedback.runtime)
        assert await kept(town.feedback.runtime, "Eins-zq", "Zwei-zq", "Drei-zq") == ["Drei-zq"]
    assert [a["status"] for a in await brought_in(town, path, first, second, third)] == ["repeated"] * 3
    suggestion = f"{path}/suggestions/{answers[0]['id']}"
    assert (await send(town, "bob", "GET", suggestion, 200))["body"] == "Drei-zq."

    await send(town, "bob", "DELETE", suggestion, 204)
    newest = {**when, "title": "T", "body": "Vier-zq.", "edited_at": "2013-01-01T00:00:00Z"}
    if forgotten:
        await forget(town.feedback.runtime)
    assert [a["status"] for a in await brought_in(town, path, newest)] == ["repeated"]
    assert await kept(town.feedback.runtime, "Vier-zq") == []
    await forget(town.feedback.runtime)
    assert await kept(town.feedback.runtime, "Drei-zq") == []


async def test_what_was_left_behind_before_anybody_noted_it_is_found_by_the_migration(town: Town) -> None:
    path = await town.found("bob")
    for n in range(4):
        suggestion = f"{path}/suggestions/{(await submit(town, path))['id']}"
        for text in ("One.", "Two."):
            await send(town, "alice", "POST", f"{suggestion}/answer", 200, {"text": text})
        await send(town, "alice", "POST", f"{suggestion}/plan", 200, {"reason": "Same."})
        if n:
            await send(town, "alice", "POST", f"{suggestion}/complete", 200, {"reason": "Same."} if n == 1 else None)
        if n == 3:
            await send(town, "alice", "DELETE", suggestion, 204)
    noted, found_out = await noted_and_found(town.feedback.runtime)
    assert len(noted) >= 7
    assert found_out == noted
