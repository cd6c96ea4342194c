"""What a process keeps of the communities that were asked about lately; nothing here is ever taken for true unasked."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request

from services.projection.activity.daybook import DayBook
from services.projection.influence.book import InfluenceBook

_COMMUNITIES = 256
_ROWS = 20_000_000
"""Fact rows that all books hold together, some 80 bytes each; one book may hold more."""


class Books:
    """A day book and an influence book for each (community, time zone); the least recently used go first."""

    def __init__(self) -> None:
        self._books: OrderedDict[tuple[UUID, str], tuple[DayBook, InfluenceBook]] = OrderedDict()

    def of(self, community: UUID, zone: ZoneInfo) -> tuple[DayBook, InfluenceBook]:
        key = (community, zone.key)
        if key not in self._books:
            days = DayBook(community, zone)
            self._books[key] = (days, InfluenceBook(days))
        self._books.move_to_end(key)
        while len(self._books) > 1 and (len(self._books) > _COMMUNITIES or self._rows() > _ROWS):
            self._books.popitem(last=False)
        return self._books[key]

    def _rows(self) -> int:
        return sum(influence.rows for _, influence in self._books.values())


def books(request: Request) -> Books:
    """The books of this process."""
    state = request.app.state
    if not hasattr(state, "books"):
        state.books = Books()
    found: Books = state.books
    return found
