"""What happened in a stream: how many events of each kind there are, and when and by whom the first and last came.

Small enough to be kept beside the state, so that an answer which shows times and names needs no second look into the
log. Imports no I/O, so that a decision may be given an `Occurrence`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from shared.events.event import Event


class Done(NamedTuple):
    """When something was done, by whom (None: nobody known), and who brought it in (None: it was done here)."""

    at: datetime
    actor: UUID | None = None
    imported_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
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
    """When the events of one stream happened, in UTC. `_here` and `_brought` have the last of each kind that was done
    here, and that was brought in; `_latest` is the latest time of all: what is brought in comes later than what
    happened after it.
    """

    version: int = 0
    _began: Done | None = None
    _here: Mapping[type[Event], _Last] = field(default_factory=dict)
    _brought: Mapping[type[Event], _Last] = field(default_factory=dict)
    _latest: datetime | None = None

    def then(self, happened: Iterable[tuple[Event, Done]]) -> History:
        """The same stream after more events."""
        version, began, latest = self.version, self._began, self._latest
        here, brought = dict(self._here), dict(self._brought)
        for event, done in happened:
            kind, done = type(event), done._replace(at=done.at.astimezone(UTC))
            began, latest = began or done, max(latest or done.at, done.at)
            before = _latter([kind], here, brought)
            version += 1
            last = here if done.imported_by is None else brought
            last[kind] = _Last(version, before.number + 1 if before else 1, done)
        return History(version, began, here, brought, latest)

    @property
    def began_at(self) -> datetime:
        """When its first event happened; there must be one."""
        assert self._began is not None, "nothing has happened in this stream"
        return self._began.at

    @property
    def imported_by(self) -> UUID | None:
        """Who brought its first event in; None where it began here."""
        return self._began.imported_by if self._began else None

    def brought_in_as(self, actor: UUID | None) -> bool:
        """Whether its first event was brought in, as something that `actor` did."""
        return self._began is not None and self._began.imported_by is not None and self._began.actor == actor

    def reaches(self, moment: datetime) -> bool:
        """Whether anything in the stream happened at that moment or after it."""
        return self._latest is not None and self._latest >= moment

    def last(self, *kinds: type[Event]) -> Done | None:
        """Who did the last event of those kinds, and when; None where there is none."""
        found = _latter(kinds, self._here, self._brought)
        return found and found.done

    def last_here(self, *kinds: type[Event]) -> Done | None:
        """The same of those that were done here and not brought in."""
        found = _latter(kinds, self._here)
        return found and found.done

    def last_brought_in(self, *kinds: type[Event]) -> Done | None:
        """The same of those that were brought in."""
        found = _latter(kinds, self._brought)
        return found and found.done

    def last_at(self, *kinds: type[Event]) -> datetime | None:
        """When the last event of those kinds happened; None where none did."""
        done = self.last(*kinds)
        return done and done.at

    def last_occasion(self, kind: type[Event]) -> Occurrence | None:
        """The last event of that kind; None where there is none."""
        last = _latter([kind], self._here, self._brought)
        return last and Occurrence(last.number, last.done.at)


def _latter(kinds: Iterable[type[Event]], *lasts: Mapping[type[Event], _Last]) -> _Last | None:
    """The last of all that are of those kinds."""
    found = [last[kind] for kind in kinds for last in lasts if kind in last]
    return max(found, key=lambda one: one.version, default=None)
