"""HTTP: what goes out is a problem or an answer that can be traced."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from shared.db import driver
from shared.events.errors import Unavailable
from shared.web.problems import as_problem
from tests.patience import is_done_within
from tests.positions import positions_of, token_of
from tests.shared.issuer import bearer
from tests.shared.toy_api import Api
from tests.shared.web.square import SQUARE, opened


async def test_a_write_answers_with_its_position_and_version(api: Api) -> None:
    answer = await api.call("POST", f"{SQUARE}/accounts")
    account = answer.json()["id"]
    paid = await api.call("POST", f"{SQUARE}/accounts/{account}/deposits", json={"amount": 5})

    assert answer.headers["etag"] == '"1"'
    ((service, partition), position) = next(iter(positions_of(answer.headers["guildhall-position"]).items()))
    assert (service, partition < 12, position > 0) == ("toy", True, True)
    assert (paid.json(), paid.headers["etag"]) == ({"id": account, "balance": 5}, '"2"')
    assert positions_of(paid.headers["guildhall-position"]) == {("toy", partition): position + 1}


async def test_a_post_repeated_with_its_key_finds_what_the_first_made(api: Api) -> None:
    first = await api.call("POST", f"{SQUARE}/accounts", headers={"idempotency-key": "order 66"})
    again = await api.call("POST", f"{SQUARE}/accounts", headers={"idempotency-key": "order 66"})
    other = await api.call("POST", f"{SQUARE}/accounts", "bob", headers={"idempotency-key": "order 66"})

    assert (again.status_code, again.json()) == (201, first.json())
    assert positions_of(again.headers["guildhall-position"]) == positions_of(first.headers["guildhall-position"])
    assert other.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("key", ["", "a" * 256, "caf\xe9", "tab\there"])
async def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    headers = [(b"authorization", bearer()["authorization"].encode()), (b"idempotency-key", key.encode("latin-1"))]
    answer = await api.client.post(f"{SQUARE}/accounts", headers=headers)

    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ('"1"', 200),
        ('"1-0badcafe"', 200),
        ('"7", "1"', 200),
        ('"a,b" ,, "1"', 200),
        ("*", 200),
        ('W/"1"', 412),
        ('"7"', 412),
        ('"a"', 412),
        ('"10"', 412),
        ("1", 400),
        ('"1', 400),
        ('*, "1"', 400),
        ('w/"1"', 400),
        ("", 400),
    ],
)
async def test_a_change_happens_only_to_the_version_that_was_seen(api: Api, tag: str, status: int) -> None:
    account = await opened(api)
    answer = await api.call(
        "POST", f"{SQUARE}/accounts/{account}/deposits", json={"amount": 1}, headers={"if-match": tag}
    )

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/here", 404),
        ("GET", f"{SQUARE}/nothing", 404),
        ("PUT", f"{SQUARE}/accounts", 405),
        ("GET", f"{SQUARE}/accounts/", 404),
        ("GET", f"{SQUARE}/accounts/not-an-id", 422),
        ("GET", f"{SQUARE}/accounts/%00", 404),
        ("GET", f"{SQUARE}/accounts?owner=%00", 422),
        ("GET", f"{SQUARE}/accounts?owner=%FF", 422),
        ("GET", f"{SQUARE}/accounts?limit=0", 422),
        ("GET", f"{SQUARE}/accounts?limit={'9' * 5_000}", 422),
        ("GET", f"{SQUARE}/accounts/01930000-0000-7000-8000-000000000000", 404),
    ],
)
async def test_paths_and_queries_that_mean_nothing_are_problems(api: Api, method: str, path: str, status: int) -> None:
    answer = await api.call(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 405:
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize(
    ("target", "headers", "named"),
    [
        ("/accounts?cursor=made-up", {}, ("cursor", "query")),
        ("/accounts?owner=%00", {}, ("owner", "query")),
        ("/accounts?limit=0", {}, ("limit", "query")),
        ("/accounts", {"guildhall-after": "anything"}, ("Guildhall-After", "header")),
    ],
)
async def test_a_refusal_names_the_parameter_at_fault(
    api: Api, target: str, headers: dict[str, str], named: tuple[str, str]
) -> None:
    answer = await api.call("GET", SQUARE + target, headers=headers)

    assert [(error["parameter"], error["in"]) for error in answer.json()["errors"]] == [named]


async def test_an_operation_takes_only_the_parameters_that_its_route_has(api: Api) -> None:
    answer = await api.call("GET", f"{SQUARE}/accounts?limits=3")

    assert answer.status_code == 422
    assert [(error["parameter"], error["in"]) for error in answer.json()["errors"]] == [("limits", "query")]
    assert all(known in answer.json()["detail"] for known in ("`limit`", "`cursor`", "Did you mean `limit`?"))
    assert (await api.call("GET", f"{SQUARE}/accounts?limit=3")).status_code == 200
    assert (await api.call("POST", f"{SQUARE}/accounts?dry=1")).status_code == 422
    assert (await api.call("GET", f"{SQUARE}/accounts?limits=3", None)).status_code == 401


async def test_an_operation_that_takes_no_body_refuses_one(api: Api) -> None:
    for method, path in (("GET", "/accounts"), ("POST", "/accounts")):
        answer = await api.call(method, SQUARE + path, json={"amount": 1})
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [""])


async def test_an_old_answer_is_given_to_a_read_that_takes_one(api: Api) -> None:
    beyond = {"guildhall-after": token_of({("toy", 0): 999_999_999}), "prefer": "wait=0, stale=ok"}
    old = await api.call("GET", f"{SQUARE}/accounts", headers=beyond)
    strict = await api.call("GET", f"{SQUARE}/accounts", headers={**beyond, "prefer": "wait=0"})
    write = await api.call("POST", f"{SQUARE}/accounts", headers=beyond)

    assert (old.status_code, old.headers["preference-applied"]) == (200, "stale=ok")
    assert (strict.status_code, write.status_code) == (503, 503)


async def test_every_answer_has_an_id_and_safe_headers(api: Api) -> None:
    given = await api.call("GET", f"{SQUARE}/me", headers={"x-request-id": "trace-1"})
    made = await api.call("GET", f"{SQUARE}/me", headers={"x-request-id": 'evil"id {}'})
    refused = await api.client.get("/nothing")

    assert given.headers["x-request-id"] == "trace-1"
    assert len(made.headers["x-request-id"]) == 36
    for answer in (given, refused):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_fault_of_ours_tells_nothing_of_the_inside(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    answer = await api.call("GET", f"{SQUARE}/fault")

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "ZeroDivisionError" in capsys.readouterr().out


async def test_a_value_beyond_the_database_is_the_callers_fault(api: Api) -> None:
    assert (await api.call("GET", f"{SQUARE}/fault?how=overflow")).status_code == 422


async def test_a_lost_connection_is_unavailable_and_the_next_request_works(api: Api) -> None:
    answer = await api.call("GET", f"{SQUARE}/fault?how=cut")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert (await api.call("GET", f"{SQUARE}/accounts")).status_code == 200


def test_a_connection_whose_server_has_just_died_is_the_database_away() -> None:
    # What asyncpg raises between the server's last words and the end of the connection.
    error = asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress")
    assert isinstance(as_problem(error), Unavailable)


async def test_a_database_that_does_not_answer_is_unavailable_in_time(api: Api) -> None:
    async def ask() -> None:
        answers = await asyncio.gather(*(api.call("GET", f"{SQUARE}/fault?how=slow") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {503}

    await is_done_within(api.runtime.settings.database_timeout + 1.5, ask)
    assert (await api.call("GET", f"{SQUARE}/accounts")).status_code == 200


async def test_requests_cancelled_anywhere_leave_nothing_behind(api: Api) -> None:
    for delay in range(60):
        task = asyncio.create_task(api.call("GET", f"{SQUARE}/accounts"))
        await asyncio.sleep(delay / 10_000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async with driver(api.runtime.engine) as connection:
        left = await connection.fetchval(
            "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'"
        )
    assert left == 0
    assert (await api.call("GET", f"{SQUARE}/accounts")).status_code == 200


async def test_the_document_describes_what_every_operation_has_in_common(api: Api) -> None:
    document = (await api.client.get("/openapi.json")).json()
    operations = {
        operation["operationId"]: operation for path, item in document["paths"].items() for operation in item.values()
    }

    assert document["openapi"].startswith("3.1")
    assert all(operation["security"] == [{"token": []}] for operation in operations.values())
    assert all({"4XX", "5XX"} <= operation["responses"].keys() for operation in operations.values())
    assert "Guildhall-Position" in operations["open_account"]["responses"]["201"]["headers"]
    assert not any(path.startswith(("/livez", "/status")) for path in document["paths"])
    assert {"OpenLine", "DepositLine", "LineAnswer"} <= document["components"]["schemas"].keys()
