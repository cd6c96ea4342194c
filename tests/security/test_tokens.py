"""Tokens over HTTP: what is not good is answered 401, and every time in the same words."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import FreshDatabase
from tests.security.forgeries import FORGED
from tests.shared.issuer import token, write_key_set
from tests.shared.toy_api import Api, toy_api
from tests.shared.toy_service import SERVICE

PATH = "/v1/communities/square/me"


@pytest.fixture(scope="module")
async def api(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with fresh_database(SERVICE.metadata) as settings, toy_api(settings, jwks) as api:
        await api.community("square")
        await api.standing("square", "alice", "member", "owner")
        yield api


async def _ask(api: Api, *values: bytes) -> tuple[int, str, dict[str, object]]:
    answer = await api.client.get(PATH, headers=[(b"authorization", value) for value in values])
    body = answer.json()
    body.pop("request_id", None)
    return answer.status_code, answer.headers.get("www-authenticate", ""), body


async def test_a_good_token_is_accepted_so_that_the_others_mean_something(api: Api) -> None:
    status, challenge, _ = await _ask(api, f"Bearer {token()}".encode())

    assert (status, challenge) == (200, "")


async def test_at_least_sixty_kinds_of_forged_tokens_get_one_and_the_same_401(api: Api) -> None:
    answers = {}
    for name, make in FORGED.items():
        value = make().encode("utf-8", "surrogatepass").replace(b"\n", b" ").replace(b"\x00", b"")
        answers[name] = await _ask(api, b"Bearer " + value)
    empty = {"empty"}  # no token at all, so the answer says how to send one

    assert {name: answer for name, answer in answers.items() if answer[0] != 401} == {}
    assert {answer[1] for name, answer in answers.items() if name not in empty} == {
        'Bearer realm="guildhall", error="invalid_token"'
    }
    assert len({str(answer[2]) for name, answer in answers.items() if name not in empty}) == 1
    assert len(FORGED) >= 110


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b"Bearer"],
        [b"Bearer "],
        [b"Basic YWxpY2U6c2VjcmV0"],
        [b"Token %(good)s"],
        [b"%(good)s"],
        [b"Bearer%(good)s"],
        [b"Bearer=%(good)s"],
        [b"Bearer: %(good)s"],
        [b'Bearer "%(good)s"'],
        [b"Bearer %(good)s extra"],
        [b"Bearer Bearer %(good)s"],
        [b"Bearer %(good)s", b"Bearer %(good)s"],
        [b"Basic YWxpY2U6c2VjcmV0", b"Bearer %(good)s"],
        [b"Basic YWxpY2U6c2VjcmV0, Bearer %(good)s"],
        [b"Bearer\xa0%(good)s"],
        [b"Bearer %(good)s\xff"],
    ],
)
async def test_a_good_token_sent_wrongly_is_not_accepted(api: Api, values: list[bytes]) -> None:
    good = token().encode()
    status, challenge, body = await _ask(api, *(value.replace(b"%(good)s", good) for value in values))

    assert status == 401
    assert challenge.startswith('Bearer realm="guildhall"')
    assert good.decode() not in str(body)


@pytest.mark.parametrize("place", ["?access_token=", "?token=", "?authorization=Bearer%20"])
async def test_a_token_in_the_address_is_no_token(api: Api, place: str) -> None:
    answer = await api.client.get(PATH + place + token())

    assert answer.status_code == 401


async def test_why_a_token_was_not_accepted_is_in_the_log_only(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    forged = FORGED["another audience"]()
    _, _, body = await _ask(api, f"Bearer {forged}".encode())
    logged = capsys.readouterr().out

    assert "'aud'" in logged
    assert "audience" not in str(body)
    assert forged not in logged
