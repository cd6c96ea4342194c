"""The local OIDC issuer: one ES256 key of this installation, its public half for all, tokens as RFC 9068 says.

It has no sign-in and lives in the state folder only: whoever can read that folder is everybody.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.local.home import Home
from deploy.local.ownership import replace
from deploy.local.problems import LocalError

ISSUER = "guildhall-local"
AUDIENCE = "guildhall"
LIFETIME = 12 * 3600
OPERATOR = "operator"
OPERATOR_SCOPE = "guildhall:found guildhall:backfill guildhall:operate"
MEMBER_SCOPE = "guildhall:found"


@dataclass(frozen=True)
class Issuer:
    """Mints tokens with the key of a state folder; the key is made at first use."""

    home: Home

    def _key(self) -> ECKey:
        return ECKey.import_key(json.loads(self.home.kept("issuer.json", _new_key)))

    def jwks(self) -> dict[str, Any]:
        return {"keys": [self._key().as_dict(private=False)]}

    def write_jwks(self, path: Path | None = None) -> Path:
        """The public keys as a file for the services, by default `jwks.json` in the state folder."""
        path = path or self.home.root / "jwks.json"
        replace(path, json.dumps(self.jwks()), 0o644)
        return path

    def discovery(self, origin: str) -> dict[str, Any]:
        return {
            "issuer": ISSUER,
            "jwks_uri": f"{origin}/.well-known/jwks.json",
            "id_token_signing_alg_values_supported": ["ES256"],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "scopes_supported": OPERATOR_SCOPE.split(),
        }

    def mint(self, subject: str = OPERATOR, scope: str | None = None, lifetime: int = LIFETIME) -> str:
        """An access token (RFC 9068). `lifetime` in seconds; the scope defaults to what the subject usually has."""
        key, now = self._key(), int(time.time())
        granted = scope if scope is not None else (OPERATOR_SCOPE if subject == OPERATOR else MEMBER_SCOPE)
        claims = {
            "iss": ISSUER,
            "sub": subject,
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "jti": secrets.token_hex(16),
            "scope": granted,
        }
        return jwt.encode({"typ": "at+jwt", "alg": "ES256", "kid": key.kid}, claims, key, algorithms=["ES256"])


def _new_key() -> str:
    made = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": secrets.token_hex(8)})
    return json.dumps(made.as_dict(private=True))


def seconds(text: str) -> int:
    """`90`, `90s`, `30m`, `12h` or `7d` in seconds; raises LocalError."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    if not number.isdecimal() or int(number) == 0:
        raise LocalError(
            f"{text!r} is not a lifetime.",
            "A token is valid for a number of seconds, minutes, hours or days.",
            "Write for example --lifetime 30m, 12h or 7d.",
        )
    return int(number) * units[unit]
