"""What a process keeps of the communities that were asked about lately; nothing here is ever taken for true unasked."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request

from services.projection.activity.activity_cache import ActivityCache
from services.projection.influence.influence_cache import InfluenceCache
from shared.db import ends_with_database

_COMMUNITIES = 256
_ROWS = 20_000_000
"""Fact rows that all caches hold together, some 80 bytes each; one cache may hold more."""


class Caches:
    """A cache of activity and one of influence for each (community, time zone); the least recently used go first."""

    def __init__(self) -> None:
        self._caches: OrderedDict[tuple[UUID, str], tuple[ActivityCache, InfluenceCache]] = OrderedDict()

    def of(self, community: UUID, zone: ZoneInfo) -> tuple[ActivityCache, InfluenceCache]:
        key = (community, zone.key)
        if key not in self._caches:
            days = ActivityCache(community, zone)
            self._caches[key] = (days, InfluenceCache(days))
        self._caches.move_to_end(key)
        while len(self._caches) > 1 and (len(self._caches) > _COMMUNITIES or self._rows() > _ROWS):
            self._caches.popitem(last=False)
        return self._caches[key]

    def forget(self) -> None:
        """The counters of changes may not be those of the database that the caches were read from."""
        self._caches.clear()

    def _rows(self) -> int:
        return sum(influence.rows for _, influence in self._caches.values())


def caches(request: Request) -> Caches:
    """The caches of this process."""
    state = request.app.state
    if not hasattr(state, "caches"):
        state.caches = Caches()
        ends_with_database(state.runtime.engine, state.caches.forget)
    found: Caches = state.caches
    return found
