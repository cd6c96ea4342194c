"""A stream with when things happened in it: its state and events as decisions know them, its records with their times.

Imports no I/O, so that a decision may be given an `Occasion`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from shared.decider import Decider
from shared.errors import NotFound
from shared.event import Catalogue, Event, Recorded, events_of, wire_name
from shared.log.port import Log

S = TypeVar("S")
E = TypeVar("E", bound=Event)
F = TypeVar("F", bound=Event)


@dataclass(frozen=True, slots=True)
class Occasion:
    """The how manieth of its kind in a stream (1, 2, …), and when it happened.

    The number lets a decision tell whether it was given the time of what stands, or of something before it.
    """

    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class History(Generic[S]):
    """What became of one thing. `events` and `records` are all there are, one of each per version."""

    state: S
    events: Sequence[Event]
    records: Sequence[Recorded]

    @property
    def version(self) -> int:
        return len(self.records)

    @property
    def began_at(self) -> datetime:
        """When its first event happened; there must be one."""
        return self.records[0].occurred_at

    def last_at(self, *kinds: type[Event]) -> datetime | None:
        """When the last event of those kinds happened; None where none did."""
        return next((at for event, at in reversed(self._times()) if isinstance(event, kinds)), None)

    def last_occasion(self, kind: type[Event]) -> Occasion | None:
        """The last event of that kind; None where there is none."""
        times = [at for event, at in self._times() if isinstance(event, kind)]
        return Occasion(len(times), times[-1]) if times else None

    def events_at(self, kind: type[F], moment: datetime) -> list[F]:
        """The events of that kind that happened then. So a backfill knows a line that was brought in before, whatever
        became of it since.
        """
        return [event for event, at in self._times() if isinstance(event, kind) and at == moment]

    def _times(self) -> list[tuple[Event, datetime]]:
        return [(event, record.occurred_at) for event, record in zip(self.events, self.records, strict=True)]


async def read_history(log: Log, community: UUID, decider: Decider[S, E], stream: UUID) -> History[S]:
    """The stream as it is now, in one query, never from memory; version 0 where it has no events.

    Raises `NotFound` when it is of another kind than the decider's, or another community's.
    """
    records = await log.load(stream)
    catalogue = _catalogue(decider.evolve)
    # The decider's own types are in the catalogue, so what is decoded is what it evolves by.
    events: list[E] = [catalogue.decode(record.type, record.data) for record in records]  # type: ignore[misc]
    foreign = any(wire_name(type(event)) not in decider.types for event in events)
    if foreign or any(record.community != community for record in records):
        raise NotFound(f"There is no such {decider.name}.")
    return History(decider.fold(events), events, records)


@cache
def _catalogue(evolve: Callable[[Any, Any], Any]) -> Catalogue:
    """All events of the decider's service, old versions among them: they stand in one module."""
    return Catalogue.of(sys.modules[events_of(evolve)[0].__module__])
