"""Tokens that must not be believed, by what is wrong with them; each made anew, since keys and times differ."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from tests.shared.issuer import AUDIENCE, ISSUER, claims, keys, token


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
    "the whole token twice": lambda: token() + token(),
    "two tokens with a space between": lambda: f"{token()} {token()}",
    "two tokens with a comma between": lambda: f"{token()},{token()}",
    "a line break in it": lambda: token().replace(".", ".\n", 1),
    "padded base64": lambda: token() + "=",
    "the last character cut off": lambda: token()[:-1],
    "the first character cut off": lambda: token()[1:],
    "the payload cut off": lambda: "..".join(token().split(".")[::2]),
    "header and payload swapped": lambda: ".".join(token().split(".")[at] for at in (1, 0, 2)),
    "the signature of another token": lambda: token().rpartition(".")[0] + "." + token("bob").rpartition(".")[2],
    "a signature of zeros": lambda: token().rpartition(".")[0] + "." + "A" * 86,
    "an empty header": lambda: f".{_segment(claims())}.AAAA",
    "a header that is null": lambda: f"{_segment(None)}.{_segment(claims())}.AAAA",
    "a header that is a text": lambda: f"{_segment('ES256')}.{_segment(claims())}.AAAA",
    "none with a signature": lambda: _unsigned({"alg": "none", "typ": "at+jwt", "kid": "ec"}) + "AAAA",
    "no signature, NONE": lambda: _unsigned({"alg": "NONE", "typ": "at+jwt", "kid": "ec"}),
    "no algorithm": lambda: _relabelled_with({"alg": None}),
    "an algorithm as a list": lambda: _relabelled_with({"alg": ["ES256"]}),
    "an algorithm of another curve": lambda: _relabelled_with({"alg": "ES384"}),
    "an algorithm in lower case": lambda: _relabelled_with({"alg": "es256"}),
    "HMAC with an empty secret": lambda: _hmac(b""),
    "HMAC with the key id as secret": lambda: _hmac(b"ec"),
    "HMAC with the public key as JSON": lambda: _hmac(json.dumps(keys()["ec"].as_dict(private=False)).encode()),
    "HMAC, HS512": lambda: _hmac(b"guildhall", "sha512", "HS512"),
    "a symmetric key in the header": lambda: _relabelled_with({"jwk": OctKey.generate_key(256).as_dict()}),
    "Ed25519 with a stranger's key": lambda: token(key=OKPKey.generate_key("Ed25519", {"kid": "ed"}), alg="Ed25519"),
    "an Ed25519 key under an EC id": lambda: token(key=OKPKey.generate_key("Ed25519", {"kid": "ec"}), alg="Ed25519"),
    "a certificate's thumbprint alone": lambda: _relabelled_with({"kid": None, "x5t": "AAAA"}),
    "compressed": lambda: _relabelled_with({"zip": "DEF"}),
    "critical, empty": lambda: _relabelled_with({"crit": []}),
    "encrypted by its header": lambda: _relabelled_with({"enc": "A256GCM"}),
    "an address as key id": lambda: token(header={"kid": "https://evil.example/key"}),
    "a device as key id": lambda: token(header={"kid": "/dev/null"}),
    "an empty key id": lambda: token(header={"kid": ""}),
    "a key id with a NUL": lambda: token(header={"kid": "ec\x00"}),
    "a key id as a list": lambda: _relabelled_with({"kid": ["ec"]}),
    "an endless key id": lambda: token(header={"kid": "k" * 5_000}),
    "a type as a list": lambda: _relabelled_with({"typ": ["at+jwt"]}),
    "a type with a parameter": lambda: token(header={"typ": "at+jwt; charset=utf-8"}),
    "an issuer as a list": lambda: token(iss=[ISSUER]),
    "an issuer with a slash more": lambda: token(iss=ISSUER + "/"),
    "an issuer in capitals": lambda: token(iss=ISSUER.upper()),
    "an empty audience": lambda: token(aud=[]),
    "an audience within an audience": lambda: token(aud=[[AUDIENCE]]),
    "an audience with a space": lambda: token(aud=f"{AUDIENCE} "),
    "expiry as a text of digits": lambda: token(exp=str(int(time.time()) + 600)),
    "expiry as a list": lambda: token(exp=[int(time.time()) + 600]),
    "expiry before 1970": lambda: token(exp=-1),
    "expiry of 5,000 digits": lambda: _signed(
        b'{"iss":"%s","aud":"guildhall","sub":"a","exp":%s}' % (ISSUER.encode(), b"9" * 5_000)
    ),
    "a beginning in words": lambda: token(nbf="now"),
    "a beginning that is false": lambda: token(nbf=False),
    "issued in words": lambda: token(iat="now"),
    "issued before 1970": lambda: token(iat=-5),
    "a subject that is a list": lambda: token(sub=["alice"]),
    "a subject that is null": lambda: _signed(
        b'{"iss":"%s","aud":"guildhall","exp":99999999999,"sub":null}' % ISSUER.encode()
    ),
    "scopes as an object": lambda: token(scope={"guildhall:operate": True}),
    "claims nested too deeply": lambda: _signed(b"[" * 3_000),
    "claims that are not UTF-8": lambda: _signed(b'{"sub":"\xff"}'),
    "claims twice, the second of another issuer": lambda: _signed(
        b'{"iss":"%s","aud":"guildhall","sub":"a","exp":99999999999,"iss":"x"}' % ISSUER.encode()
    ),
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


def _hmac(secret: bytes, digest: str = "sha256", alg: str = "HS256") -> str:
    body = f"{_segment({'alg': alg, 'typ': 'at+jwt', 'kid': 'ec'})}.{_segment(claims())}"
    mac = base64.urlsafe_b64encode(hmac.digest(secret, body.encode(), digest)).rstrip(b"=").decode()
    return f"{body}.{mac}"
