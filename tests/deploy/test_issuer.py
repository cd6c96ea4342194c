"""Tokens of the local issuer are what RFC 9068 asks for, and its key stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from deploy.local import issuer
from deploy.local.home import Home
from deploy.local.issuer import Issuer
from deploy.local.problems import LocalError


def claims(made: Issuer, token: str) -> jwt.Token:
    return jwt.decode(token, KeySet.import_key_set(made.jwks()), algorithms=["ES256"])  # type: ignore[arg-type]


def test_a_token_says_who_for_whom_and_until_when(tmp_path: Path) -> None:
    made = Issuer(Home(tmp_path).open())
    token = claims(made, made.mint("bob", "guildhall:found", 60))
    assert token.header["typ"] == "at+jwt"
    assert token.header["kid"] == made.jwks()["keys"][0]["kid"]
    assert {"iss", "sub", "aud", "iat", "nbf", "exp", "jti", "scope"} == set(token.claims)
    assert (token.claims["iss"], token.claims["sub"], token.claims["aud"]) == (issuer.ISSUER, "bob", issuer.AUDIENCE)
    assert token.claims["exp"] - token.claims["iat"] == 60


def test_the_operator_may_more_than_others(tmp_path: Path) -> None:
    made = Issuer(Home(tmp_path).open())
    assert claims(made, made.mint()).claims["scope"] == issuer.OPERATOR_SCOPE
    assert claims(made, made.mint("bob")).claims["scope"] == issuer.MEMBER_SCOPE
    assert claims(made, made.mint("bob", "")).claims["scope"] == ""


def test_the_key_is_made_once_and_only_its_public_half_is_shown(tmp_path: Path) -> None:
    home = Home(tmp_path).open()
    assert Issuer(home).jwks() == Issuer(home).jwks()
    assert "d" not in Issuer(home).jwks()["keys"][0]
    assert (home.root / "secrets" / "issuer.json").stat().st_mode & 0o777 == 0o600


def test_the_public_keys_are_published_where_asked_for_everybody_and_without_the_private_half(tmp_path: Path) -> None:
    home = Home(tmp_path / "state").open()
    (tmp_path / "keys").mkdir()
    published = Issuer(home).write_jwks(tmp_path / "keys" / "jwks.json")
    assert json.loads(published.read_text()) == Issuer(home).jwks()
    assert published.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in published.parent.iterdir()] == ["jwks.json"]
    assert not (home.root / "jwks.json").exists()


def test_lifetimes_have_units() -> None:
    assert [issuer.seconds(text) for text in ("90", "90s", "30m", "12h", "7d")] == [90, 90, 1800, 43200, 604800]
    for wrong in ("", "x", "0", "-1h", "1w"):
        with pytest.raises(LocalError, match="lifetime"):
            issuer.seconds(wrong)
