"""An issuer for tests: its key set in a file, and tokens, good ones and every kind of bad one."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

ISSUER = "https://issuer.example"
AUDIENCE = "guildhall"


@cache
def keys() -> Mapping[str, Key]:
    """One key of each kind that is accepted, by key id."""
    return {
        "rsa": RSAKey.generate_key(2048, {"kid": "rsa"}),
        "ec": ECKey.generate_key("P-256", {"kid": "ec"}),
        "ed": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
    }


def key_set(**more: Key) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in [*keys().values(), *more.values()]]}).encode()


def write_key_set(folder: Path) -> str:
    path = folder / "jwks.json"
    path.write_bytes(key_set())
    return str(path)


def claims(subject: str = "alice", **changes: Any) -> dict[str, Any]:
    """Claims of a good token, with changes; None takes a claim away."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": now + 600, "iat": now, **changes}
    return {name: value for name, value in good.items() if value is not None}


def token(
    subject: str = "alice",
    *,
    key: Key | None = None,
    header: Mapping[str, Any] | None = None,
    alg: str = "ES256",
    **changes: Any,
) -> str:
    """A token that is good unless something is changed."""
    signing = key or keys()["ec"]
    kid = {} if signing.kid is None else {"kid": signing.kid}
    merged = {"alg": alg, "typ": "at+jwt", **kid, **(header or {})}
    wanted = {name: value for name, value in merged.items() if value is not None}
    return jwt.encode(wanted, claims(subject, **changes), signing, algorithms=[alg], default_type=None)


def bearer(subject: str = "alice", **changes: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {token(subject, **changes)}"}
