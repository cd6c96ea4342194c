"""What happened at one instant keeps the order of the lines: each is told a microsecond after the one before it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

REMEMBERED: Final = 10_000
"""Instants of a request that are kept in mind; a request may be without end."""
_NEXT: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class Instants:
    """Gives the lines of one request the times at which they are recorded."""

    _next: OrderedDict[tuple[Hashable, datetime], datetime] = field(default_factory=OrderedDict)

    def after_those_before(self, among: Hashable, at: datetime) -> datetime:
        """That time, or the first one after it that no line before has been given in the same list (`among`)."""
        free, path = at, [at]
        while (taken := self._next.get((among, free))) is not None:
            free = taken
            path.append(free)
        # All that was passed leads to the end from now on, so that nobody goes a long way twice.
        for moment in path:
            self._next[among, moment] = free + _NEXT
        for moment in (at, free):
            self._next.move_to_end((among, moment))
        while len(self._next) > REMEMBERED:
            self._next.popitem(last=False)
        return free
