"""A vault in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableMapping
from typing import Any
from uuid import UUID

import msgspec

from shared.log.port import VaultRow
from shared.vault import Vault


class MemoryVault(Vault):
    """Implements `Vault` on a dictionary, such as `MemoryLog.vault`; a forgotten row has no content."""

    def __init__(self, rows: MutableMapping[tuple[UUID, UUID], VaultRow]) -> None:
        self._rows = rows

    async def look(self, community: UUID, refs: Iterable[UUID]) -> dict[UUID, Any]:
        found = {ref: self._rows.get((community, ref)) for ref in refs}
        return {
            ref: msgspec.json.decode(row.content) if row.content else None
            for ref, row in found.items()
            if row is not None
        }

    async def standing(self, community: UUID, refs: Iterable[UUID], own: UUID | None = None) -> dict[UUID, Any]:
        return await self.look(community, refs)  # nothing is superseded here: it is forgotten at once

    async def stood(self, community: UUID, refs: Collection[UUID], content: Mapping[str, Any]) -> bool:
        return any(kept == content for kept in (await self.look(community, refs)).values())

    async def forget(self, community: UUID, refs: Collection[UUID]) -> None:
        for ref in refs:
            if (community, ref) in self._rows:
                self._rows[community, ref] = VaultRow(community, None, ref, b"")
