"""A key is kept in the statement that appends, with the versions to which the streams come: so it is used once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from shared.log.port import Append

KEYED = """, keyed as (
    insert into idempotency_key (id, fingerprint, versions, expires_at)
    select * from unnest($17::uuid[], $18::bytea[], $19::bytea[], $20::timestamptz[]) as k(id)
    where exists (select from ticket) order by k.id
)"""
"""In the order of the ids, so that no two appends wait for each other."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What a request is known by when it comes again: `id` stands for its caller, its operation and its
    `Idempotency-Key`, `fingerprint` for what it says. Kept until `expires_at`.
    """

    id: UUID
    fingerprint: bytes
    expires_at: datetime


def key_columns(requests: Iterable[Append]) -> list[tuple[Any, ...]]:
    """The parameters of `KEYED`; empty where no request has a key."""
    rows = [
        (request.key.id, request.key.fingerprint, msgspec.json.encode(versions_after(request)), request.key.expires_at)
        for request in requests
        if request.key is not None
    ]
    return list(zip(*rows, strict=True))


def versions_after(request: Append) -> dict[UUID, int]:
    """Where the streams stand that it writes or rests on, once it is written."""
    guarded = {guard.stream: guard.version for guard in request.guards}
    return guarded | {write.stream: write.expected + len(write.events) for write in request.writes}
