"""A token is believed only when the issuer's key says so, for us, now, and as an access token (RFC 9068, RFC 8725)."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from shared.events.errors import InvalidToken
from shared.events.identity import Caller
from shared.web.access.jwks import Keys

LEEWAY = 30
"""Seconds by which clocks may differ."""
BELIEVED = 60.0
"""Seconds for which a verified token is not verified again."""
REMEMBERED = 10_000
LONGEST = 8_192
LONGEST_SUBJECT = 255

_logger = structlog.get_logger(__name__)

_TYPES = {"at+jwt", "application/at+jwt"}
_FORBIDDEN_HEADERS = {"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc"}


class Tokens:
    """Verifies access tokens of one issuer for one audience."""

    def __init__(
        self,
        keys: Keys,
        *,
        issuer: str,
        audience: str,
        member_secret: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._secret = member_secret
        self._clock = clock
        self._verified: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """Who the token speaks for. Raises `InvalidToken`, or `Unavailable` while the keys cannot be had."""
        digest = _digest(token)
        now = self._clock()
        known = self._verified.get(digest)
        if known is not None and now < known[0]:
            return known[1]
        try:
            claims = await self._signed_claims(token)
            caller = self._caller(claims, now)
        except InvalidToken as error:
            _logger.info("token not accepted", reason=error.reason)
            raise
        self._verified[digest] = (min(claims["exp"], now + min(BELIEVED, self._keys.left)), caller)
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return caller

    def remembered(self, token: str) -> Caller | None:
        """Who sent this token when it was last verified; it may have expired since. For accounts, not for access."""
        known = self._verified.get(_digest(token))
        return None if known is None else known[1]

    async def _signed_claims(self, token: str) -> Mapping[str, Any]:
        if len(token) > LONGEST or not token.isascii():
            raise InvalidToken("The token is longer than any we take, or holds characters that none has.")
        try:
            signed = jws.extract_compact(token.encode())
            header = signed.headers()
        except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise InvalidToken("The token is not a signed JWT.") from error
        if not isinstance(header, dict) or _FORBIDDEN_HEADERS & header.keys():
            raise InvalidToken("The token's header names parameters that are not accepted.")
        kind, algorithm, kid = header.get("typ"), header.get("alg"), header.get("kid")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise InvalidToken("The token is not an access token: its `typ` must be at+jwt.")
        if not isinstance(kid, str) or not isinstance(algorithm, str):
            raise InvalidToken("The token's header names no key or no algorithm.")
        key = await self._keys.find(kid)
        if key is None:
            raise InvalidToken("The token is signed with a key the issuer does not publish.")
        if algorithm not in key.algorithms:
            raise InvalidToken("The token's algorithm does not fit its key.")
        try:
            genuine = jws.validate_compact(signed, key.key, algorithms=[algorithm])
            claims = msgspec.json.decode(signed.payload) if genuine else None
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise InvalidToken("The token's signature or content is not valid.") from error
        if not isinstance(claims, dict):
            raise InvalidToken("The token's signature or content is not valid.")
        return claims

    def _caller(self, claims: Mapping[str, Any], now: float) -> Caller:
        registry = JWTClaimsRegistry(
            now=int(now),
            leeway=LEEWAY,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
        )
        try:
            registry.validate(dict(claims))
        except JoseError as error:
            raise InvalidToken(f"The token's claims are not accepted: {error}") from error
        if not 0 <= claims.get("iat", 0) <= claims["exp"]:
            raise InvalidToken("The token was issued before 1970, or after it expired.")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
            raise InvalidToken("The token's subject is not 1 to 255 printable characters.")
        scope = claims.get("scope", "")
        if not isinstance(scope, str):
            raise InvalidToken("The token's scope is not a string.")
        return Caller(self._issuer, subject, frozenset(scope.split()), self._secret)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
