"""Places in logs as callers see them, in `Guildhall-Position`, `Guildhall-After` and `freshness`: sealed.

The numbers themselves would tell any caller how much everybody else does, in communities they may not read; and a
place that nobody was given would be waited for in vain. So a token is encrypted and signed with a key of the
installation, differs every time, and one that was not given out is refused at once. Operators see the numbers by
`guildhall lag`.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Iterable, Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.events.errors import BadRequest

Positions = Mapping[tuple[str, int], int]
"""By source and partition."""

EXAMPLE = "q3Zk0vJ8mN2xW7bTfYc5hLr1sGdPe9aUoXiKt4BnQyMzVwEjRg"
"""What a token looks like, for documents; it opens nothing."""

_NONCE = 12
_LONGEST = 4_000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, dict[int, int]]).decode


class Seal:
    """Seals positions with a key that follows from the installation's secret, which all services share."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(secret, b"guildhall positions", "sha256"))

    def seal(self, positions: Positions) -> str:
        """A token of letters, digits, `-` and `_`."""
        by_source: dict[str, dict[int, int]] = {}
        for (source, partition), position in positions.items():
            by_source.setdefault(source, {})[partition] = position
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, _encode(by_source), None)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")

    def open(self, values: Iterable[str], *, header: str, partitions: int) -> dict[tuple[str, int], int]:
        """The positions in these headers, the highest of each partition; tokens are separated by commas.

        Raises `BadRequest` naming the header for anything that `seal` did not make.
        """
        positions: dict[tuple[str, int], int] = {}
        for value in values:
            for token in value[:_LONGEST].split(","):
                found = None if len(value) > _LONGEST else self._opened(token.strip())
                if found is None or any(partition >= partitions for (_, partition) in found):
                    raise BadRequest(
                        f"`{header}` is what this API gave as `Guildhall-Position` or in `freshness`, unchanged.",
                        header=header,
                    )
                for place, position in found.items():
                    positions[place] = max(position, positions.get(place, 0))
        return positions

    def _opened(self, token: str) -> dict[tuple[str, int], int] | None:
        try:
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            by_source = _decode(self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], None))
        except (ValueError, binascii.Error, InvalidTag, msgspec.DecodeError):
            return None
        return {(source, partition): n for source, places in by_source.items() for partition, n in places.items()}
