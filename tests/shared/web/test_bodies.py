"""What comes in is bounded and storable, and a refusal of it points to the place."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from shared.events.errors import Invalid
from shared.web.bodies import check_json
from tests.shared.toy_api import Api
from tests.shared.web.square import SQUARE, opened


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"amount": 5}', 200),
        (b'{"amount": 5, "note": " fine "}', 200),
        (b'{"amount": 5, "note": "caf\\u00e9 \\ud83d\\ude00"}', 200),
        (b'{"amount": 5, "note": "\\\\u0000"}', 200),
        (b"", 422),
        (b"{}", 422),
        (b"null", 422),
        (b"[]", 422),
        (b"{", 400),
        (b'{"amount": NaN}', 400),
        (b'{"amount": Infinity}', 400),
        (b'{"amount": 1e999}', 400),
        (b'{"amount": "NaN"}', 422),
        (b'{"amount": ' + b"9" * 30 + b"}", 422),
        (b'{"amount": ' + b"9" * 1_500 + b"}", 422),
        (b'{"amount": 1.5}', 422),
        (b'{"amount": 5, "note": "\\u0000"}', 422),
        (b'{"amount": 5, "\\u0000": 1}', 422),
        (b'{"amount": 5, "note": "\x00"}', 400),
        (b'{"amount": 5, "note": "\\ud800"}', 400),
        (b'{"amount": 5, "note": "\xff"}', 400),
        (b'{"amount": 5, "note": "\xed\xa0\x80"}', 400),
        (b'{"amount": 5, "note": "  "}', 422),
        (b'{"amount": 5, "note": "123456789012345678901"}', 422),
        (b'{"amount": 5, "role": "owner"}', 422),
        (b"[" * 1_900, 422),
        (b'{"a":' * 390, 422),
        (b'{"amount": ' + b"[" * 33 + b"]" * 33 + b"}", 422),
        (b'{"amount": [' + b"1," * 900 + b"1]}", 422),
        (b'{"amount": 5, "note": "' + b"[,{" * 600 + b'"}', 422),
        (b'{"amount": 5, "note": "\\"[,{[,{[,{[,{[,{[,{[,{[,{[,{[,{"}', 422),
        (b'{"' + b"x" * 1_900 + b'": 1}', 422),
        (b"\xef\xbb\xbf{}", 400),
        (b'{"amount": 5' + b" " * 2_000 + b"}", 413),
    ],
)
async def test_a_body_is_taken_or_refused_with_the_right_status(api: Api, body: bytes, status: int) -> None:
    account = await opened(api)
    headers = {"content-type": "application/json"}
    answer = await api.call("POST", f"{SQUARE}/accounts/{account}/deposits", content=body, headers=headers)

    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_a_violation_points_to_its_field_and_does_not_repeat_what_was_sent(api: Api) -> None:
    account = await opened(api)
    sent = {"amount": 0, "note": "my secret diagnosis is long", "x/y~z": 1}
    answer = await api.call("POST", f"{SQUARE}/accounts/{account}/deposits", json=sent)

    assert {error["pointer"] for error in answer.json()["errors"]} == {"/amount", "/note", "/x~1y~0z"}
    assert "diagnosis" not in answer.text
    limited = await api.call("GET", f"{SQUARE}/accounts?limit=1000")
    assert limited.json()["errors"][0] == {
        "parameter": "limit",
        "in": "query",
        "detail": "Input should be less than or equal to 200",
    }


async def test_a_body_that_is_streamed_is_bounded_too(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b" " * 100

    answer = await api.call(
        "POST", f"{SQUARE}/accounts", content=endless(), headers={"content-type": "application/json"}
    )

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": ""},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_what_is_not_plain_json_is_refused(api: Api, headers: dict[str, str]) -> None:
    assert (await api.call("POST", f"{SQUARE}/accounts", content=b"{}", headers=headers)).status_code == 415


async def test_a_refusal_names_a_bounded_number_of_broken_rules_by_names_of_bounded_length(api: Api) -> None:
    account = await opened(api)
    many = await api.call("POST", f"{SQUARE}/accounts/{account}/deposits", json={f"k{n}": 1 for n in range(150)})
    long = await api.call("POST", f"{SQUARE}/accounts/{account}/deposits", json={"amount": 1, "k" * 1_500: 1})

    assert len(many.json()["errors"]) == 50
    assert "151 places" in many.json()["detail"]
    assert long.json()["errors"][0]["pointer"] == ""


async def test_a_body_of_many_values_is_refused_before_anything_is_built_of_it() -> None:
    body = b"[" + b"{}," * 330_000 + b"{}]"
    tracemalloc.start()
    with pytest.raises(Invalid, match="more than 1000 values"):
        check_json(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2 * len(body)


@pytest.mark.parametrize("text", ["[" * 5_000, "," * 5_000, '"' * 5_000, "\\" * 5_000, '[{,"\\' * 900])
def test_what_a_text_holds_is_not_counted_as_values(text: str) -> None:
    assert check_json(json.dumps({"text": text}).encode()) == {"text": text}
