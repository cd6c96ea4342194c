"""A fact is an event together with when, by whom, and at which version of its stream it happened.

It is what `evolve` is given, so a state holds the times and the people that answers and decisions need. One that was
just decided is the same as the one that is read from the log later.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from shared.events.event import Event, Recorded

E = TypeVar("E", bound=Event)


class Fact(msgspec.Struct, Generic[E], frozen=True):
    """`at` is in UTC; `version` counts the stream's events: 1, 2, 3 …

    `actor` is None where nobody known did it, `imported_by` where it was done here and not brought in by a backfill.
    """

    event: E
    at: datetime
    version: int
    actor: UUID | None
    imported_by: UUID | None
    id: UUID

    @property
    def by(self) -> UUID | None:
        """Who answers for it. A dump says when something was done and not by whom, so it is who brought it in, and
        never who is said to have done it.
        """
        return self.imported_by or self.actor


def fact_of(event: E, record: Recorded) -> Fact[E]:
    """The fact that a record of the log is; `event` is its data."""
    return Fact(event, record.occurred_at.astimezone(UTC), record.version, record.actor, record.imported_by, record.id)
