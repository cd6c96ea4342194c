"""The next edition of what was brought in before: whether its words are newer than those that stand. Pure.

What was edited here stands (`LineContext.stays`); else the later edit does. A line without a time is an edit made just
now; but where an edit was made under a time, what such a line says is the older. Of several editions of one time, or of
none, the first to say something else is the newer (a source may change words and tags without a new time), and words
that stood before are the older (`earlier`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from shared.commands.commands import Outcome
from shared.events.event import Event, Text
from shared.events.identity import derived_id


def newer(
    edited_at: datetime | None,
    stream: UUID,
    found: Outcome[Any],
    by: type[Event],
    text: Text | None,
    first: datetime | None,
) -> bool:
    """Whether an edition of that time is newer than `text`, which stands in `found`.

    `by` is the event of an edit, `first` the time at which the words that it began with had been edited.
    """
    last = found.history.last_occasion(by)
    stands_since = last.at if last else first
    if edited_at is not None and edited_at != stands_since:
        return stands_since is None or edited_at > stands_since
    if last is None:
        return edited_at == first
    return text is not None and text.ref == _nth(stream, last.number, edited_at)


def reference(edited_at: datetime | None, stream: UUID, found: Outcome[Any], by: type[Event]) -> UUID:
    """The reference for the words of an edition, which tells it from an edit made here."""
    last = found.history.last_occasion(by)
    return _nth(stream, last.number + 1 if last else 1, edited_at)


def earlier(edited_at: datetime | None, stream: UUID, found: Outcome[Any], by: type[Event]) -> list[UUID]:
    """The references of words of that time, or of none, that stood before those that stand: an older edition's."""
    last = found.history.last_occasion(by)
    if last is None or edited_at not in (None, last.at):
        return []
    return [derived_id("text", stream), *(_nth(stream, number, edited_at) for number in range(1, last.number))]


def _nth(stream: UUID, number: int, edited_at: datetime | None) -> UUID:
    """The reference of the words that the stream's edit of that number brought in, under that time."""
    return derived_id("edition", stream, number, *([edited_at.isoformat()] if edited_at else []))
