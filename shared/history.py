"""What happened in a stream: how many events of each kind there are, and when and by whom the first and last came.

Small enough to be kept beside the state, so that an answer which shows times and names needs no second look into the
log. Imports no I/O, so that a decision may be given an `Occasion`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from shared.event import Event


class Done(NamedTuple):
    """When something was done, by whom (None: nobody known), and who brought it in (None: it was done here)."""

    at: datetime
    actor: UUID | None = None
    imported_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """The how manieth of its kind in a stream (1, 2, …), and when it happened.

    The number lets a decision tell whether it was given the time of what stands, or of something before it.
    """

    number: int
    at: datetime


class _Last(NamedTuple):
    """The last event of a kind: the version it has in the stream, its number among its kind, and who did it when."""

    version: int
    number: int
    done: Done


@dataclass(frozen=True, slots=True)
class History:
    """When the events of one stream happened, in UTC. `_last` has the last of each kind, `_latest` is the latest time
    of all: what is brought in comes later than what happened after it.
    """

    version: int = 0
    _began: Done | None = None
    _last: Mapping[type[Event], _Last] = field(default_factory=dict)
    _latest: datetime | None = None

    def then(self, happened: Iterable[tuple[Event, Done]]) -> History:
        """The same stream after more events."""
        version, began, last, latest = self.version, self._began, dict(self._last), self._latest
        for event, done in happened:
            kind, done = type(event), done._replace(at=done.at.astimezone(UTC))
            began, latest = began or done, max(latest or done.at, done.at)
            before = last.get(kind)
            version += 1
            last[kind] = _Last(version, before.number + 1 if before else 1, done)
        return History(version, began, last, latest)

    @property
    def began_at(self) -> datetime:
        """When its first event happened; there must be one."""
        assert self._began is not None, "nothing has happened in this stream"
        return self._began.at

    @property
    def imported_by(self) -> UUID | None:
        """Who brought its first event in; None where it began here."""
        return self._began.imported_by if self._began else None

    def goes_beyond(self, moment: datetime) -> bool:
        """Whether anything in the stream happened after that moment."""
        return self._latest is not None and self._latest > moment

    def last(self, *kinds: type[Event]) -> Done | None:
        """Who did the last event of those kinds, and when; None where there is none."""
        found = [self._last[kind] for kind in kinds if kind in self._last]
        return max(found, key=lambda last: last.version).done if found else None

    def last_at(self, *kinds: type[Event]) -> datetime | None:
        """When the last event of those kinds happened; None where none did."""
        done = self.last(*kinds)
        return done and done.at

    def last_occasion(self, kind: type[Event]) -> Occasion | None:
        """The last event of that kind; None where there is none."""
        last = self._last.get(kind)
        return last and Occasion(last.number, last.done.at)
