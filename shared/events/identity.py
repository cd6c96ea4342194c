"""Ids that follow from names: a community's from its slug, a member's from who they are and a secret of ours.

No service asks another who is calling, and nobody outside can compute who a member is.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from functools import lru_cache
from uuid import UUID, uuid5

NAMESPACE = UUID("6e0f7a52-9a2b-5c36-8f0e-2d4b1c9a7e11")
"""The root of every derived id (RFC 9562, version 5) of this system."""
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_UUID_FORMS = re.compile(
    r"(?<=/)(?:urn:uuid:)?(\{)?([0-9a-f]{8})(-?)([0-9a-f]{4})\3([0-9a-f]{4})\3([0-9a-f]{4})\3([0-9a-f]{12})(?(1)\})(?=/|$)",
    re.IGNORECASE,
)
_UUID_SHAPE = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def derived_id(*parts: object) -> UUID:
    """The id that follows from its parts, the same at every try: uuid5 over their words, told apart by position."""
    return uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts))


def community_id(name: str) -> UUID | None:
    """The id behind what stands in a path, an id or a slug; None for what is neither.

    A slug is its community's for ever, so no look-up is needed.
    """
    if _UUID_SHAPE.fullmatch(name):
        return UUID(name)
    return derived_id("community", name) if SLUG.fullmatch(name) else None


def one_writing(path: str) -> str:
    """The path in small letters, with each id in it in the one form that answers have, of those that routes read."""
    return _UUID_FORMS.sub(r"\2-\4-\5-\6-\7", path).lower()


@lru_cache(maxsize=50_000)
def member_id(secret: bytes, community: UUID, issuer: str, subject: str) -> UUID:
    """The member that a subject of an issuer is in a community: a keyed hash, as a UUID of version 8 (RFC 9562).

    Nobody without the secret can compute it, and one person's ids in two communities have nothing in common.
    """
    who = issuer.encode()
    message = community.bytes + len(who).to_bytes(4) + who + subject.encode()
    number = int.from_bytes(hmac.digest(secret, message, "sha256")[:16])
    number = number & ~(0xF << 76) | 0x8 << 76
    return UUID(int=number & ~(0x3 << 62) | 0x2 << 62)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent the request, as the token says; the same one whatever scopes it has, so that limits are one too."""

    issuer: str
    subject: str
    scopes: frozenset[str] = field(compare=False)
    secret: bytes = field(repr=False, compare=False)

    def member_in(self, community: UUID) -> UUID:
        """The caller's member id in a community, member or not."""
        return member_id(self.secret, community, self.issuer, self.subject)
