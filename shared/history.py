"""When things happened in a stream: how many of each kind of event there are, and when the first and the last came.

Small enough to be kept beside the state, so that an answer which shows times needs no second look into the log.
Imports no I/O, so that a decision may be given an `Occasion`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.event import Event


@dataclass(frozen=True, slots=True)
class Occasion:
    """The how manieth of its kind in a stream (1, 2, …), and when it happened.

    The number lets a decision tell whether it was given the time of what stands, or of something before it.
    """

    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """When the events of one stream happened, in UTC. `_last` has the last of each kind and its version, `_latest` is
    the latest time of all: what is brought in comes later than what happened after it.
    """

    version: int = 0
    _began: datetime | None = None
    _last: Mapping[type[Event], tuple[int, Occasion]] = field(default_factory=dict)
    _latest: datetime | None = None

    def then(self, happened: Iterable[tuple[Event, datetime]]) -> History:
        """The same stream after more events."""
        version, began, last, latest = self.version, self._began, dict(self._last), self._latest
        for event, moment in happened:
            kind, at = type(event), moment.astimezone(UTC)
            began, latest = began or at, max(latest or at, at)
            before = last.get(kind)
            version += 1
            last[kind] = version, Occasion(before[1].number + 1 if before else 1, at)
        return History(version, began, last, latest)

    @property
    def began_at(self) -> datetime:
        """When its first event happened; there must be one."""
        assert self._began is not None, "nothing has happened in this stream"
        return self._began

    def goes_beyond(self, moment: datetime) -> bool:
        """Whether anything in the stream happened after that moment."""
        return self._latest is not None and self._latest > moment

    def last_at(self, *kinds: type[Event]) -> datetime | None:
        """When the last event of those kinds happened; None where none did."""
        found = [self._last[kind] for kind in kinds if kind in self._last]
        return max(found, key=lambda last: last[0])[1].at if found else None

    def last_occasion(self, kind: type[Event]) -> Occasion | None:
        """The last event of that kind; None where there is none."""
        return self._last[kind][1] if kind in self._last else None
