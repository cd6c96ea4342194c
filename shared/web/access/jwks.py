"""The issuer's keys: read from a file or fetched within bounds, kept, and looked up again for an unknown key id.

An unknown key id costs at most one refresh a minute, so tokens that are made up cannot make us hammer the issuer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2 as httpx
import msgspec
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key
from joserfc.util import urlsafe_b64decode

from shared.events.errors import Unavailable

ALGORITHMS: Final[Mapping[tuple[str, str | None], frozenset[str]]] = {
    ("RSA", None): frozenset({"RS256", "PS256"}),
    ("EC", "P-256"): frozenset({"ES256"}),
    ("OKP", "Ed25519"): frozenset({"Ed25519"}),
}
"""What a key of that type and curve may verify; nothing else is accepted, whatever a token says."""

AGE = 600.0
"""Seconds for which keys are believed; after half of that they are read again, the old ones serving meanwhile."""
REFRESH = 60.0
"""Seconds between two refreshes for unknown key ids."""
FETCH_TIME = 3.0
FETCH_SIZE = 262_144
_RSA_BYTES = 256
_PUBLIC = ("kty", "kid", "use", "alg", "crv", "x", "y", "n", "e")

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, and the algorithms that fit it."""

    key: Key
    algorithms: frozenset[str]


class Keys:
    """The keys behind `settings.jwks`, by key id. None is believed longer than `age`, also while the issuer is away."""

    def __init__(self, location: str, *, age: float = AGE, clock: Callable[[], float] = time.monotonic) -> None:
        self._location = location
        self._age = age
        self._clock = clock
        self._keys: Mapping[str, VerifyingKey] = {}
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._reading = asyncio.Lock()
        self._renewing: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> VerifyingKey | None:
        """The key of that id, or None. Raises `Unavailable` where no keys could be had that may be believed.

        A known key that may be is not waited for: in the second half of that time the keys are read again beside it.
        """
        if kid not in self._keys or self.left <= 0:
            await self._refresh()
        elif self.left < self._age / 2 and (self._renewing is None or self._renewing.done()):
            self._renewing = asyncio.create_task(self._refresh(), name="renew-keys")
        if self.left <= 0:
            raise _unreadable()
        return self._keys.get(kid)

    @property
    def left(self) -> float:
        """Seconds for which the keys are still believed."""
        return self._read_at + self._age - self._clock()

    async def _refresh(self) -> None:
        async with self._reading:
            if self._clock() - self._tried_at < (REFRESH if self.left > 0 else 1.0):
                return
            self._tried_at = self._clock()
            try:
                document = await _fetch(self._location) if _is_address(self._location) else _load(self._location)
                keys = read_keys(document)
            except (OSError, ValueError, httpx.HTTPError, TimeoutError) as error:
                _logger.warning("keys of the issuer not read", error=type(error).__name__)
                return
            self._keys, self._read_at = keys, self._tried_at


def _unreadable() -> Unavailable:
    return Unavailable("The issuer's keys cannot be read.", retry_after=2)


def _is_address(location: str) -> bool:
    return urlsplit(location).scheme in {"http", "https"}


def _load(path: str) -> bytes:
    if not path:
        raise ValueError("GUILDHALL_JWKS is not set")
    return Path(path).read_bytes()


async def _fetch(address: str) -> bytes:
    """The document at that address: no redirects, and no more bytes or seconds than a set of keys needs."""
    received = bytearray()
    async with (
        asyncio.timeout(FETCH_TIME),
        httpx.AsyncClient(timeout=FETCH_TIME, follow_redirects=False, trust_env=False) as client,
        client.stream("GET", address, headers={"accept": "application/json"}) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise ValueError(f"status {response.status_code}")
        async for chunk in response.aiter_bytes():
            received += chunk
            if len(received) > FETCH_SIZE:
                raise ValueError("too large")
    return bytes(received)


def read_keys(document: bytes) -> dict[str, VerifyingKey]:
    """The keys of a JWK set (RFC 7517) that may verify a token; others in it are left out, private parts too."""
    entries = msgspec.json.decode(document, type=dict[str, Any]).get("keys")
    if not isinstance(entries, list):
        raise ValueError("not a JWK set")
    found = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(kid := entry.get("kid"), str):
            key = _verifying_key(entry)
            if key is not None:
                found[kid] = key
    return found


def _verifying_key(entry: dict[str, Any]) -> VerifyingKey | None:
    kind = entry.get("kty")
    fitting = ALGORITHMS.get((str(kind), entry.get("crv") if kind != "RSA" else None), frozenset())
    if isinstance(named := entry.get("alg"), str):
        fitting &= {named}
    operations = entry.get("key_ops")
    if not fitting or entry.get("use", "sig") != "sig" or (operations is not None and "verify" not in operations):
        return None
    try:
        if kind == "RSA" and len(_modulus(entry)) < _RSA_BYTES:
            return None
        key = import_key({name: entry[name] for name in _PUBLIC if name in entry})
        key.get_op_key("verify")  # reads it, which importing does not
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return VerifyingKey(key, fitting)


def _modulus(entry: dict[str, Any]) -> bytes:
    return urlsafe_b64decode(str(entry["n"]).encode()).lstrip(b"\x00")
