"""The vault holds what members wrote and what names them, outside the log; forgetting is deleting its rows.

Rows are written in the transaction of the events that refer to them (`Append.secrets`), and read here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableMapping
from typing import Any, Protocol
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import driver
from shared.log.port import Secret

_FORGET = "delete from vault where community = $1 and ref = any($2::uuid[])"
_READ = "select ref, content from vault where community = $1 and ref = any($2::uuid[])"


def secret(community: UUID, subject: UUID | None, ref: UUID, content: Mapping[str, Any]) -> Secret:
    """A vault row about `subject` (None: about nobody), to be written with the event that carries `ref`."""
    return Secret(community, subject, ref, msgspec.json.encode(content))


class Vault(Protocol):
    """Reads words by reference, and forgets them."""

    async def read(self, community: UUID, refs: Iterable[UUID]) -> dict[UUID, Any]:
        """The contents behind those references, decoded; what was erased or never written is left out."""

    async def forget(self, community: UUID, refs: Collection[UUID]) -> None:
        """Delete the contents behind those references; what is gone already is left alone."""


class PostgresVault:
    """Implements `Vault` on the service's own database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def read(self, community: UUID, refs: Iterable[UUID]) -> dict[UUID, Any]:
        wanted = list(refs)
        if not wanted:
            return {}
        async with driver(self._engine) as connection:
            rows = await connection.fetch(_READ, community, wanted)
        return {row["ref"]: msgspec.json.decode(row["content"]) for row in rows}

    async def forget(self, community: UUID, refs: Collection[UUID]) -> None:
        if refs:
            async with driver(self._engine) as connection:
                await connection.execute(_FORGET, community, list(refs))


class OwnWords:
    """A request's `Vault`: what the request itself has written is at hand, everything else is read."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._written: dict[tuple[UUID, UUID], bytes] = {}

    def wrote(self, secrets: Iterable[Secret]) -> None:
        """These rows were written together with their events."""
        self._written |= {(row.community, row.ref): row.content for row in secrets}

    async def read(self, community: UUID, refs: Iterable[UUID]) -> dict[UUID, Any]:
        wanted = set(refs)
        own = {ref: msgspec.json.decode(row) for ref in wanted if (row := self._written.get((community, ref)))}
        return own | await self._vault.read(community, wanted - own.keys())

    async def forget(self, community: UUID, refs: Collection[UUID]) -> None:
        for ref in refs:
            self._written.pop((community, ref), None)
        await self._vault.forget(community, refs)


class MemoryVault:
    """Implements `Vault` on a dictionary, such as `MemoryLog.vault`."""

    def __init__(self, rows: MutableMapping[tuple[UUID, UUID], Secret]) -> None:
        self._rows = rows

    async def read(self, community: UUID, refs: Iterable[UUID]) -> dict[UUID, Any]:
        found = {ref: self._rows.get((community, ref)) for ref in refs}
        return {ref: msgspec.json.decode(row.content) for ref, row in found.items() if row is not None}

    async def forget(self, community: UUID, refs: Collection[UUID]) -> None:
        for ref in refs:
            self._rows.pop((community, ref), None)
