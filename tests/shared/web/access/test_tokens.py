"""Tokens: good ones of every accepted kind are believed, forged ones of every kind are not."""

from __future__ import annotations

import time

import pytest

from shared.events.errors import InvalidToken
from shared.web.access.jwks import Keys
from shared.web.access.tokens import Tokens
from tests.security.forgeries import FORGED
from tests.shared.issuer import AUDIENCE, ISSUER, keys, token, write_key_set


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_key_set(tmp_path_factory.mktemp("issuer"))


@pytest.fixture
def tokens(location: str) -> Tokens:
    return Tokens(Keys(location), issuer=ISSUER, audience=AUDIENCE, member_secret=b"secret")


@pytest.mark.parametrize(("kid", "alg"), [("rsa", "RS256"), ("rsa", "PS256"), ("ec", "ES256"), ("ed", "Ed25519")])
async def test_a_token_of_each_accepted_kind_is_believed(tokens: Tokens, kid: str, alg: str) -> None:
    caller = await tokens.verify(token(key=keys()[kid], alg=alg, scope="guildhall:backfill openid"))

    assert (caller.issuer, caller.subject, caller.scopes) == (
        ISSUER,
        "alice",
        frozenset({"guildhall:backfill", "openid"}),
    )


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"])
async def test_the_type_is_read_without_regard_to_case(tokens: Tokens, kind: str) -> None:
    assert (await tokens.verify(token(header={"typ": kind}))).subject == "alice"


async def test_an_audience_may_be_one_of_several(tokens: Tokens) -> None:
    assert (await tokens.verify(token(aud=["other", AUDIENCE]))).subject == "alice"


async def test_clocks_may_differ_by_half_a_minute(tokens: Tokens) -> None:
    now = time.time()

    assert (await tokens.verify(token(exp=now - 20, iat=now - 600))).subject == "alice"
    assert (await tokens.verify(token(nbf=now + 20))).subject == "alice"


@pytest.mark.parametrize("case", FORGED)
async def test_a_forged_token_is_not_believed(tokens: Tokens, case: str) -> None:
    with pytest.raises(InvalidToken):
        await tokens.verify(FORGED[case]())


async def test_a_token_that_was_believed_is_not_after_it_expired(location: str) -> None:
    now = time.time()
    clock = [now]
    tokens = Tokens(Keys(location), issuer=ISSUER, audience=AUDIENCE, member_secret=b"s", clock=lambda: clock[0])
    short = token(exp=now + 40)
    assert (await tokens.verify(short)).subject == "alice"

    clock[0] = now + 45
    assert (await tokens.verify(short)).subject == "alice"
    clock[0] = now + 75
    with pytest.raises(InvalidToken):
        await tokens.verify(short)


async def test_a_caller_is_one_under_whatever_tokens(tokens: Tokens) -> None:
    scopes = ("openid", "guildhall:backfill", "guildhall:found guildhall:operate")
    first, *others = [await tokens.verify(token(scope=scope, jti=scope, client_id=scope)) for scope in scopes]

    assert {first, *others} == {first}
    assert first != await tokens.verify(token(sub="bob", scope=scopes[0]))
