"""The vault holds what members wrote and what names them, outside the log; forgetting empties its rows.

Rows are written in the transaction of the events that refer to them (`Append.secrets`), and read here. What an event
left behind (`Append.superseded`) is forgotten once the retention is over. A row that was forgotten stays, empty: so a
request that comes again finds that its words were written, and nothing writes them a second time.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import driver
from shared.events.identity import Caller
from shared.log.port import VaultRow

BATCH: Final = 500
"""Words that are forgotten in one transaction."""

_FORGET = """
update vault set content = null, subject = null, superseded_at = null
where community = $1 and ref = any($2::uuid[]) and superseded_at is not null
"""
_LOOK = "select ref, content from vault where community = $1 and ref = any($2::uuid[])"
_STANDING = f"{_LOOK} and (superseded_at is null or subject = $3)"
_STOOD = "select ref, content, fingerprint from vault where community = $1 and ref = any($2::uuid[])"
DUE = """
select community, ref, content from vault where superseded_at <= statement_timestamp() - $1::interval
order by superseded_at limit $2 for update skip locked
"""
"""By the index up to what is due: `clock_timestamp()` is another at each row, so it bounds no index."""
_FORGET_DUE = """
update vault set content = null, subject = null, superseded_at = null, fingerprint = $3
where community = $1 and ref = $2
"""
_ERASE = """
update vault set content = null, subject = null, superseded_at = null, fingerprint = null
where community = $1 and subject = $2
"""
_MARKED = """
select community, member from erased
where not gone and exists (select from vault v where v.subject = erased.member and v.community = erased.community)
"""
"""By the index of subjects; a row that was emptied has none."""
DUE_WORDS = """
select count(*) as words, extract(epoch from clock_timestamp() - min(superseded_at) - $1::interval)::float8 as seconds
from vault where superseded_at <= statement_timestamp() - $1::interval
"""
"""How many words there are that stood until longer ago than that, and how long the first of them are due."""


def vault_row(community: UUID, subject: UUID | None, ref: UUID, content: Mapping[str, Any]) -> VaultRow:
    """A vault row about `subject` (None: about nobody), to be written with the event that carries `ref`."""
    return VaultRow(community, subject, ref, msgspec.json.encode(content))


def length_of(ref: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """The bytes behind that column of a view, in the same database; 0 where it refers to nothing or was forgotten."""
    vault = sa.table("vault", sa.column("community"), sa.column("ref"), sa.column("content"))
    assert isinstance(ref, sa.Column)
    kept = sa.select(sa.func.octet_length(vault.c.content)).where(
        vault.c.community == ref.table.c.community, vault.c.ref == ref
    )
    return sa.func.coalesce(kept.correlate(ref.table).scalar_subquery(), 0)


class Vault(Protocol):
    """Reads words by reference, and forgets them."""

    async def look(self, community: UUID, refs: Iterable[UUID]) -> dict[UUID, Any]:
        """The contents behind those references, decoded; None where they were forgotten, left out where there were
        never any.
        """

    async def standing(self, community: UUID, refs: Iterable[UUID], own: UUID | None = None) -> dict[UUID, Any]:
        """As `look`, of what no event has left behind; what was is left out, though it may be kept for some time,
        but for what the subject `own` wrote themselves.
        """

    async def read(self, community: UUID, refs: Iterable[UUID]) -> dict[UUID, Any]:
        """The contents behind those references, decoded; what was forgotten or never written is left out."""
        found = await self.look(community, refs)
        return {ref: content for ref, content in found.items() if content is not None}

    async def stood(self, community: UUID, refs: Collection[UUID], content: Mapping[str, Any]) -> bool:
        """Whether just this was written under one of those references, also where retention has taken it since."""

    async def forget(self, community: UUID, refs: Collection[UUID]) -> None:
        """Empty the rows behind those references at once, unless they stand again meanwhile."""


class PostgresVault(Vault):
    """Implements `Vault` on the service's own database; `key` is the installation's, for fingerprints."""

    def __init__(self, engine: AsyncEngine, key: bytes = b"") -> None:
        self._engine = engine
        self._key = key

    async def look(self, community: UUID, refs: Iterable[UUID]) -> dict[UUID, Any]:
        return await self._fetch(_LOOK, community, list(refs))

    async def standing(self, community: UUID, refs: Iterable[UUID], own: UUID | None = None) -> dict[UUID, Any]:
        return await self._fetch(_STANDING, community, list(refs), own)

    async def _fetch(self, query: str, community: UUID, wanted: list[UUID], *more: UUID | None) -> dict[UUID, Any]:
        if not wanted:
            return {}
        async with driver(self._engine) as connection:
            rows = await connection.fetch(query, community, wanted, *more)
        return {row["ref"]: _decoded(row["content"]) for row in rows}

    async def stood(self, community: UUID, refs: Collection[UUID], content: Mapping[str, Any]) -> bool:
        if not refs:
            return False
        async with driver(self._engine) as connection:
            rows = await connection.fetch(_STOOD, community, list(refs))
        sought = msgspec.json.encode(content)
        return any(
            row["content"] == sought
            or hmac.compare_digest(row["fingerprint"] or b"", self._fingerprint(row["ref"], sought))
            for row in rows
        )

    async def forget(self, community: UUID, refs: Collection[UUID]) -> None:
        if refs:
            async with driver(self._engine) as connection:
                await connection.execute(_FORGET, community, list(refs))

    async def forget_superseded(self, retention: timedelta, limit: int = BATCH) -> int:
        """Forget up to `limit` words that have stood no more for so long; how many there were.

        Several processes may do it at once: each takes rows that no other has.
        """
        async with driver(self._engine) as connection, connection.transaction():
            rows = await connection.fetch(DUE, retention, limit)
            due = [(row["community"], row["ref"], self._fingerprint(row["ref"], row["content"])) for row in rows]
            await connection.executemany(_FORGET_DUE, due)
        return len(due)

    async def erase(self, community: UUID, subject: UUID) -> int:
        """Empty all rows about a subject, those that stand and those that stand no more; how many there were.

        Nothing is left by which words could be known again. The tombstone that keeps others out is `erased`'s.
        """
        async with driver(self._engine) as connection:
            done: str = await connection.execute(_ERASE, community, subject)
        return int(done.rpartition(" ")[2])

    async def erase_marked(self) -> int:
        """Erase everybody who has a tombstone and words nevertheless; how many words there were. May be repeated."""
        async with driver(self._engine) as connection:
            marked = await connection.fetch(_MARKED)
        return sum([await self.erase(row["community"], row["member"]) for row in marked])

    def _fingerprint(self, ref: UUID, content: bytes) -> bytes:
        """By which the same words are known again, under this reference and with the installation's key only."""
        return hmac.digest(self._key, b"vault" + ref.bytes + content, "sha256")[:16]


def _decoded(content: bytes | None) -> Any:
    return None if content is None else msgspec.json.decode(content)


class OwnWords(Vault):
    """A request's `Vault`: what the request itself has written is at hand, everything else is read.

    `seen` are the contents that it has read and written, those last, by community and reference. Where what was so
    before is shown again, `again_to` says to whom: it reads then what stands, and what they wrote themselves.
    """

    def __init__(self, vault: Vault, *, again_to: Caller | None = None) -> None:
        self._vault = vault
        self._again_to = again_to
        self._read: dict[tuple[UUID, UUID], Any] = {}
        self._written: dict[tuple[UUID, UUID], bytes] = {}

    @property
    def seen(self) -> dict[tuple[UUID, UUID], Any]:
        return self._read | {place: msgspec.json.decode(content) for place, content in self._written.items()}

    def wrote(self, secrets: Iterable[VaultRow]) -> None:
        """These rows were written together with their events."""
        self._written |= {(row.community, row.ref): row.content for row in secrets}

    async def look(self, community: UUID, refs: Iterable[UUID]) -> dict[UUID, Any]:
        wanted = set(refs)
        own = {ref: msgspec.json.decode(row) for ref in wanted if (row := self._written.get((community, ref)))}
        others = wanted - own.keys()
        if self._again_to is None:
            found = await self._vault.look(community, others)
        else:
            found = await self._vault.standing(community, others, self._again_to.member_in(community))
        self._read |= {(community, ref): content for ref, content in found.items()}
        return own | found

    async def standing(self, community: UUID, refs: Iterable[UUID], own: UUID | None = None) -> dict[UUID, Any]:
        return await self._vault.standing(community, refs, own)

    async def stood(self, community: UUID, refs: Collection[UUID], content: Mapping[str, Any]) -> bool:
        return await self._vault.stood(community, refs, content)

    async def forget(self, community: UUID, refs: Collection[UUID]) -> None:
        for ref in refs:
            self._written.pop((community, ref), None)
        await self._vault.forget(community, refs)
