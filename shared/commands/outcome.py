"""What became of a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from shared.commands.known_streams import KnownStream
from shared.events.event import Event
from shared.events.fact import Fact
from shared.log.port import Position

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S]):
    """A stream's state after a command or a look; `events` are the new ones, none where nothing had to change.

    `version` counts the stream's events, `position` is where the last of them stands; `began` and `here` as in
    `KnownStream`. `superseded` are the words that this command replaced or took away.
    """

    state: S
    version: int
    events: tuple[Event, ...]
    position: Position | None
    began: Fact[Any] | None
    here: frozenset[type[Event]]
    superseded: frozenset[UUID] = frozenset()

    @property
    def begun(self) -> bool:
        """Whether the stream began with this command, so that nobody can have answered to it yet."""
        return 0 < self.version == len(self.events)

    @property
    def begun_by(self) -> UUID | None:
        """Who did its first event; None for nobody known."""
        return self.began.actor if self.began else None

    def brought_in_as(self, actor: UUID | None) -> bool:
        """Whether its first event was brought in, as something that `actor` did."""
        return self.began is not None and self.began.imported_by is not None and self.began.actor == actor


def outcome_of(
    known: KnownStream, events: tuple[Event, ...] = (), superseded: frozenset[UUID] = frozenset()
) -> Outcome[Any]:
    return Outcome(known.state, known.version, events, known.position, known.began, known.here, superseded)
