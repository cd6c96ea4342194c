"""What one stream of a community holds and no other may hold beside it, for as long as its state says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from shared.events.identity import derived_id


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """A key that is unique within a scope, as a name among the channels of a community.

    `scope` is what the key is called in an answer; `pointer` is the field of a request that asks for it.
    """

    scope: str
    key: str
    pointer: str = field(default="", compare=False)

    def place(self, community: UUID) -> UUID:
        """An id that stands for it; its partition is where those who want it take turns."""
        return derived_id("claim", community, self.scope, self.key)
