"""A request with a key takes effect once and is answered once, also when it comes at once, to its caller alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2 as httpx
import msgspec
import pytest

from shared.commands.idempotency import PRUNE, IdempotencyKeys, Kept
from shared.db import driver
from shared.events.identity import Caller
from shared.log.keys import IdempotencyKey
from shared.vault import OwnWords
from shared.web.context import RequestContext
from shared.web.idempotency import _Response
from shared.web.kept_answers import KeptAnswer, show
from tests.doubles.vault import MemoryVault
from tests.positions import positions_of
from tests.shared.toy import ALICE, COMMUNITY, stream
from tests.shared.toy_api import Api
from tests.shared.web.square import SQUARE, opened


async def pay(api: Api, account: str, amount: int, by: str = "alice", **more: Any) -> httpx.Response:
    headers = {"idempotency-key": "pay", **more.pop("headers", {})}
    json = {"amount": amount, **more}
    return await api.call("POST", f"{SQUARE}/accounts/{account}/deposits", by, json=json, headers=headers)


async def test_a_change_repeated_with_its_key_is_answered_as_the_first_time_and_marked(api: Api) -> None:
    account = await opened(api)
    first = await pay(api, account, 5)
    await pay(api, account, 1, headers={"idempotency-key": "another"})
    again = await pay(api, account, 5)

    assert (again.status_code, again.content) == (200, first.content)
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    for name in ("etag", "content-type", "content-length", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert positions_of(again.headers["guildhall-position"]) == positions_of(first.headers["guildhall-position"])
    assert (await api.call("GET", f"{SQUARE}/accounts/{account}")).json()["balance"] == 6


async def test_of_equal_requests_at_once_one_takes_effect_and_all_are_answered_the_same(api: Api) -> None:
    account = await opened(api)
    answers = await asyncio.gather(*(pay(api, account, 5) for _ in range(6)))

    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert (await api.call("GET", f"{SQUARE}/accounts/{account}")).json()["balance"] == 5


async def test_a_key_is_its_callers_its_operations_and_its_bodys(api: Api) -> None:
    account, other = await opened(api), await opened(api)
    assert [(await pay(api, account, 5, by)).json()["balance"] for by in ("alice", "bob")] == [5, 10]
    assert (await pay(api, other, 5)).json()["balance"] == 5

    reused = await pay(api, account, 6)
    assert (reused.status_code, reused.json()["type"]) == (422, "urn:guildhall:problem:idempotency-key-reused")
    headers = [(b"idempotency-key", b"pay"), (b"content-type", b"application/json")]
    nobody = await api.client.post(f"{SQUARE}/accounts/{account}/deposits", content=b'{"amount":5}', headers=headers)
    assert nobody.status_code == 401


async def test_the_same_body_in_other_bytes_is_the_same_and_a_community_has_two_names(api: Api) -> None:
    account, at = await opened(api), api.member("square", "alice")
    assert at
    first = await pay(api, account, 5, note="x")
    headers = {"idempotency-key": "pay", "content-type": "application/json"}
    again = await api.call(
        "POST", f"{SQUARE}/accounts/{account}/deposits", content=b' {"note": "x", "amount": 5}', headers=headers
    )
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_refusal_is_not_kept(api: Api) -> None:
    account = await opened(api)
    refused = await pay(api, account, 5, headers={"if-match": '"7"'})
    assert refused.status_code == 412
    assert (await pay(api, account, 5)).json()["balance"] == 5
    # Once it is made, whatever the repetition asks for was met the first time.
    assert (await pay(api, account, 5, headers={"if-match": '"7"'})).status_code == 200


async def test_what_was_taken_back_is_not_done_again(api: Api) -> None:
    path, key = f"{SQUARE}/accounts", {"idempotency-key": "close"}
    account = await opened(api)
    for _ in range(2):
        assert (await api.call("DELETE", f"{path}/{account}", headers=key)).status_code == 204
    assert (await api.call("DELETE", f"{path}/{account}", headers=key)).headers["idempotent-replayed"] == "true"


async def test_a_key_is_pruned_when_its_time_has_come_and_not_before(api: Api) -> None:
    keys, now = IdempotencyKeys(api.runtime.engine), datetime.now(UTC)
    while await keys.prune():
        pass
    old, new = (IdempotencyKey(uuid4(), b"said", now + timedelta(hours=hours)) for hours in (-1, 1))
    for key in (old, new):
        await keys.keep(key, b"{}")

    assert await keys.prune() == 1
    assert (await keys.find(old), (await keys.find(new)) is None) == (None, False)


async def test_the_first_answer_that_is_kept_is_the_only_one(api: Api) -> None:
    keys, key = IdempotencyKeys(api.runtime.engine), IdempotencyKey(uuid4(), b"said", datetime.now(UTC))
    first, second = await keys.keep(key, b"first"), await keys.keep(key, b"second")

    assert (first.answer, second.answer) == (b"first", b"first")


async def test_nothing_that_is_kept_says_whose_it_is_or_when_to_the_second_it_came(api: Api) -> None:
    account = await opened(api)
    await pay(api, account, 5)
    async with driver(api.runtime.engine) as connection:
        rows = await connection.fetch(
            "select *, extract(epoch from expires_at)::int % 3600 as odd from idempotency_key"
        )
    assert not any(str(api.member("square", "alice")) in str(row["answer"]) for row in rows)
    assert {row["odd"] for row in rows if row["answer"] != b"{}" and row["versions"] is not None} == {0}


@pytest.mark.parametrize("forgotten", [False, True])
async def test_words_are_kept_by_reference_and_are_null_once_they_are_forgotten(forgotten: bool) -> None:
    content = {"title": "Roses", "answers": [{"question": "Why?", "answer": "They grow."}], "skills": ["pruning"]}
    vault = MemoryVault({})
    request = RequestContext("request", 0.0, words=OwnWords(vault))
    request.words._read[COMMUNITY, stream(1)] = content  # type: ignore[union-attr]
    body = {"id": str(ALICE), **content, "status": "open", "inner": {"name": "Roses", "list": ["pruning", "other"]}}
    response = _Response()
    await response.take({"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"x")]})
    await response.take({"type": "http.response.body", "body": msgspec.json.encode(body)})

    kept = response.kept(request)
    assert not any(word in kept for word in (b"Roses", b"Why?", b"They grow.", b"pruning"))
    shown: list[Any] = []

    async def send(message: Any) -> None:
        shown.append(message)

    known = {} if forgotten else content
    caller = Caller("issuer", "alice", frozenset(), b"secret")

    class Looking(MemoryVault):
        async def look(self, community: Any, refs: Any) -> dict[Any, Any]:
            return dict.fromkeys(refs, known or None)

    await show(msgspec.json.decode(kept, type=KeptAnswer), request, caller, Looking({}), send)
    answered = msgspec.json.decode(shown[1]["body"])
    without = {"title": None, "answers": None, "skills": None, "inner": {"name": None, "list": ["other"]}}
    assert answered == ({**body, **without} if forgotten else body)
    assert dict(shown[0]["headers"])[b"content-length"] == str(len(shown[1]["body"])).encode()


async def test_keys_that_have_expired_are_found_by_an_index_among_many_that_have_not(api: Api) -> None:
    async with driver(api.runtime.engine) as connection:
        for _ in range(10):
            await connection.execute(
                "insert into idempotency_key select gen_random_uuid(), 'said', null, null, now() + interval '1 day'"
                " from generate_series(1, 500)"
            )
        await connection.execute("analyze idempotency_key")
        plan = "\n".join(row[0] for row in await connection.fetch(f"explain {PRUNE}", 1_000))
        await connection.execute("delete from idempotency_key where answer is null and versions is null")
    assert "Index Cond: (expires_at <= statement_timestamp())" in plan
    assert "Seq Scan" not in plan


async def test_an_answer_is_kept_under_no_key_that_another_request_has_taken(api: Api) -> None:
    keys, later = IdempotencyKeys(api.runtime.engine), datetime.now(UTC) + timedelta(hours=1)
    key, other = IdempotencyKey(uuid4(), b"said", later), uuid4()
    async with driver(api.runtime.engine) as connection:  # it was written, and is not answered yet
        await connection.execute(
            "insert into idempotency_key values ($1, $2, $3, null, $4)",
            *(key.id, key.fingerprint, msgspec.json.encode({other: 1}), later),
        )

    another = await keys.keep(IdempotencyKey(key.id, b"something else", later), b"else")
    assert (another.fingerprint, another.answer) == (b"said", None)
    assert (await keys.keep(key, b"own")).answer == b"own"


async def test_of_what_changes_nothing_a_number_is_kept_on_a_day_and_the_rest_carried_out(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{SQUARE}/accounts/{await opened(api)}"
    few = api.runtime.settings.model_copy(update={"idle_keys": 2})
    monkeypatch.setattr(api.runtime, "settings", few)
    async with driver(api.runtime.engine) as connection:
        await connection.execute("delete from quota where what = 'idle keys'")

    async def close(number: int) -> str | None:
        answer = await api.call("DELETE", path, headers={"idempotency-key": f"idle {number}"})
        assert answer.status_code == 204
        return answer.headers.get("idempotent-replayed")

    assert [await close(number) for number in range(5)] == [None] * 5
    assert [await close(number) for number in range(5)] == ["true"] * 3 + [None] * 2  # the first one closed it
    assert (await api.call("POST", f"{SQUARE}/accounts", headers={"idempotency-key": "makes"})).status_code == 201
    again = await api.call("POST", f"{SQUARE}/accounts", headers={"idempotency-key": "makes"})
    assert again.headers["idempotent-replayed"] == "true"


async def test_what_took_effect_unanswered_and_would_be_refused_by_now_is_not_told_as_refused(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(_: IdempotencyKeys, key: IdempotencyKey, answer: bytes) -> Kept:
        raise ConnectionResetError

    await api.standing("square", "carol")
    account = await opened(api)
    with monkeypatch.context() as patch:
        patch.setattr(IdempotencyKeys, "keep", dies)
        assert (await pay(api, account, 5, "carol")).status_code == 503
    async with driver(api.runtime.engine) as connection:
        carol = api.member("square", "carol")
        await connection.execute("update directory_member set status = 'left' where member = $1", carol)
    api.runtime.directory.forget()

    with api.caught_up():
        told, refused = await pay(api, account, 5, "carol"), await pay(api, account, 6, "carol", headers={})
        new = await pay(api, account, 5, "carol", headers={"idempotency-key": "new"})
    assert (told.status_code, told.json()["type"]) == (409, "urn:guildhall:problem:answer-not-shown")
    assert (refused.status_code, new.status_code) == (422, 403)
    assert (await api.call("GET", f"{SQUARE}/accounts/{account}")).json()["balance"] == 5


async def test_what_stands_in_a_field_of_no_words_is_none_though_somebody_wrote_just_that() -> None:
    request = RequestContext("request", 0.0, words=OwnWords(MemoryVault({})))
    request.words._read[COMMUNITY, stream(1)] = {"title": "open"}  # type: ignore[union-attr]
    body = {"title": "open", "status": "open", "tags": ["open"], "inner": {"kind": "open", "name": "open"}}
    response = _Response()
    await response.take({"type": "http.response.start", "status": 200, "headers": []})
    await response.take({"type": "http.response.body", "body": msgspec.json.encode(body)})

    kept = msgspec.json.decode(response.kept(request), type=KeptAnswer)
    without = {**body, "title": None, "inner": {"kind": "open", "name": None}}
    assert msgspec.json.decode(kept.body) == without
