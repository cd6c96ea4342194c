"""Tokens: good ones of every accepted kind are believed, forged ones of every kind are not."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from shared.access.jwks import Keys
from shared.access.tokens import InvalidToken, Tokens
from tests.shared.issuer import AUDIENCE, ISSUER, claims, keys, token, write_key_set


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


def _segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _unsigned(header: dict[str, Any]) -> str:
    return f"{_segment(header)}.{_segment(claims())}."


def _hmac_with_the_public_key() -> str:
    """The classic: the issuer's public key taken for a shared secret."""
    body = f"{_segment({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'rsa'})}.{_segment(claims())}"
    key = keys()["rsa"]
    assert isinstance(key, RSAKey)
    secret = key.as_pem(private=False)
    mac = base64.urlsafe_b64encode(hmac.digest(secret, body.encode(), "sha256")).rstrip(b"=").decode()
    return f"{body}.{mac}"


def _tampered() -> str:
    head, _, signature = token().split(".")
    return f"{head}.{_segment(claims('mallory'))}.{signature}"


def _relabelled() -> str:
    """A good signature under a header that was changed afterwards."""
    _, body, signature = token().split(".")
    return f"{_segment({'alg': 'ES256', 'typ': 'at+jwt', 'kid': 'ec', 'x': 1})}.{body}.{signature}"


def _own_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


def _embedded() -> str:
    key = _own_key("ec")
    return token(key=key, header={"jwk": key.as_dict(private=False)})


def _not_base64() -> str:
    head, body, _ = token().split(".")
    return f"{head}.{body}.!!!!"


FORGED: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "not a token": lambda: "hello",
    "two parts": lambda: "a.b",
    "five parts, encrypted": lambda: "a.b.c.d.e",
    "not ASCII": lambda: "ä.ö.ü",
    "half a surrogate pair": lambda: "\ud800.b.c",
    "endless": lambda: "a" * 9_000,
    "a header that is a list": lambda: f"{_segment([1])}.{_segment(claims())}.AAAA",
    "a header nested too deeply": lambda: (
        f"{base64.urlsafe_b64encode(b'[' * 3_000).decode()}.{_segment(claims())}.AAAA"
    ),
    "no signature": lambda: _unsigned({"alg": "none", "typ": "at+jwt", "kid": "ec"}),
    "no signature, other case": lambda: _unsigned({"alg": "nOnE", "typ": "at+jwt", "kid": "ec"}),
    "signature cut off": lambda: token().rpartition(".")[0] + ".",
    "signature not base64": _not_base64,
    "HMAC with the public key": _hmac_with_the_public_key,
    "claims changed": _tampered,
    "header changed": _relabelled,
    "a stranger's key under a known id": lambda: token(key=_own_key("ec")),
    "a stranger's key under its own id": lambda: token(key=_own_key("mallory")),
    "a key of another type under a known id": lambda: token(key=RSAKey.generate_key(2048, {"kid": "ec"}), alg="RS256"),
    "an algorithm that does not fit the key": lambda: _relabelled_with({"kid": "rsa"}),
    "RS512, which is not on the list": lambda: token(key=keys()["rsa"], alg="RS512"),
    "EdDSA by its vague name": lambda: _relabelled_with({"alg": "EdDSA", "kid": "ed"}),
    "the key in the header": _embedded,
    "a key address in the header": lambda: token(header={"jku": "https://evil.example/jwks"}),
    "a certificate address in the header": lambda: token(header={"x5u": "https://evil.example/cert"}),
    "a certificate chain in the header": lambda: token(header={"x5c": ["MII"]}),
    "an unknown critical extension": lambda: _relabelled_with({"crit": ["exp"], "exp": 1}),
    "an unencoded payload": lambda: _relabelled_with({"b64": False, "crit": ["b64"]}),
    "no key id": lambda: token(header={"kid": None}),
    "a path as key id": lambda: token(header={"kid": "../../etc/passwd"}),
    "a query as key id": lambda: token(header={"kid": "' or 1=1 --"}),
    "a number as key id": lambda: _relabelled_with({"kid": 7}),
    "an ID token": lambda: token(header={"typ": "JWT"}),
    "no type": lambda: token(header={"typ": None}),
    "a logout token": lambda: token(header={"typ": "logout+jwt"}),
    "another issuer": lambda: token(iss="https://evil.example"),
    "an issuer that begins alike": lambda: token(iss=ISSUER + ".evil.example"),
    "no issuer": lambda: token(iss=None),
    "another audience": lambda: token(aud="somebody-else"),
    "no audience": lambda: token(aud=None),
    "an audience that contains ours": lambda: token(aud="guildhall-2"),
    "an audience as an object": lambda: token(aud={AUDIENCE: True}),
    "expired": lambda: token(exp=time.time() - 60),
    "no expiry": lambda: token(exp=None),
    "expiry in words": lambda: token(exp="tomorrow"),
    "expiry true": lambda: token(exp=True),
    "expiry without end": lambda: _signed(b'{"iss":"%s","aud":"guildhall","sub":"a","exp":1e999}' % ISSUER.encode()),
    "expiry not a number": lambda: _signed(b'{"iss":"%s","aud":"guildhall","sub":"a","exp":NaN}' % ISSUER.encode()),
    "not valid yet": lambda: token(nbf=time.time() + 120),
    "issued in the future": lambda: token(iat=time.time() + 120),
    "issued after it expires": lambda: token(iat=time.time() + 20, exp=time.time() + 10),
    "no subject": lambda: token(sub=None),
    "an empty subject": lambda: token(sub=""),
    "a subject of 256 characters": lambda: token("a" * 256),
    "a subject that is a number": lambda: token(sub=7),
    "a subject with a NUL": lambda: token("a\x00b"),
    "a subject with a line break": lambda: token("a\nb"),
    "scopes as a list": lambda: token(scope=["guildhall:operate"]),
    "claims that are a list": lambda: _signed(b"[]"),
    "claims that are no JSON": lambda: _signed(b"{"),
}


def _relabelled_with(header: dict[str, Any]) -> str:
    """Signed by the issuer's own key over a header that no issuer would write."""
    body = f"{_segment({'alg': 'ES256', 'typ': 'at+jwt', 'kid': 'ec', **header})}.{_segment(claims())}"
    return _sign(body)


def _signed(payload: bytes) -> str:
    head = _segment({"alg": "ES256", "typ": "at+jwt", "kid": "ec"})
    return _sign(f"{head}.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}")


def _sign(body: str) -> str:
    signature = JWSRegistry.algorithms["ES256"].sign(body.encode(), keys()["ec"])
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


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
