"""What a request came to that may come again, by its `Idempotency-Key` (`shared/log/keys.py`).

Where something was written, a row was written with it, in one transaction (`Append.key`), and tells the versions to
which the streams came. The answer follows, and is the only one: whoever answers second is told what the first said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import driver
from shared.log.keys import IdempotencyKey

BATCH: Final = 1_000
"""Keys that are pruned in one transaction."""

_FIND = "select fingerprint, versions, answer from idempotency_key where id = $1"
_KEEP = """
insert into idempotency_key as kept (id, fingerprint, answer, expires_at) values ($1, $2, $3, $4)
on conflict (id) do update set
    answer = coalesce(kept.answer, case when kept.fingerprint = excluded.fingerprint then excluded.answer end)
returning fingerprint, versions, answer
"""
PRUNE = """
delete from idempotency_key where id = any(array(
    select id from idempotency_key where expires_at <= statement_timestamp() order by expires_at limit $1
    for update skip locked
))
"""
"""By the indexes, however many keys there are: `clock_timestamp()` is another at each row, so it bounds no index."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a request. `versions` are where its streams came to, empty where it changed nothing; `answer` is
    None where it was carried out and nobody came to answer it.
    """

    fingerprint: bytes
    versions: dict[UUID, int]
    answer: bytes | None


class IdempotencyKeys:
    """The keys of a service's requests, in its own database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, key: IdempotencyKey) -> Kept | None:
        """What the request came to before; None where it did not, or its key has been pruned."""
        async with driver(self._engine) as connection:
            row = await connection.fetchrow(_FIND, key.id)
        return None if row is None else _kept(row["fingerprint"], row["versions"], row["answer"])

    async def keep(self, key: IdempotencyKey, answer: bytes) -> Kept:
        """Keep the answer, also to what changed nothing, unless there is one or the key is another request's; what is
        kept from now on.
        """
        async with driver(self._engine) as connection:
            row = await connection.fetchrow(_KEEP, key.id, key.fingerprint, answer, key.expires_at)
        assert row is not None
        return _kept(row["fingerprint"], row["versions"], row["answer"])

    async def prune(self, limit: int = BATCH) -> int:
        """Forget up to `limit` keys that have expired; how many there were. Several processes may do it at once."""
        async with driver(self._engine) as connection:
            return int((await connection.execute(PRUNE, limit)).rpartition(" ")[2])


def _kept(fingerprint: bytes, versions: bytes | None, answer: bytes | None) -> Kept:
    return Kept(fingerprint, {} if versions is None else msgspec.json.decode(versions, type=dict[UUID, int]), answer)
