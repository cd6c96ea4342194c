"""The next edition of what was brought in before: whether its words are newer than those that stand. Pure.

The later edit stands, wherever it was made. A line without a time is an edit made just now; but where an edit was made
here, or under a time, what such a line says is the older, and so are words that stood before (`earlier`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.commands import Outcome
from shared.event import Event, Text
from shared.identity import derived_id


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
    if edited_at is not None:
        stands_since = last.at if last else first
        return stands_since is None or edited_at > stands_since
    if last is None:
        return first is None
    return text is not None and text.ref == _undated(stream, last.number)


def reference(edited_at: datetime | None, stream: UUID, found: Outcome[Any], by: type[Event]) -> UUID:
    """The reference for the words of an edition; that of one without a time tells it again from edits made here."""
    if edited_at is not None:
        return uuid7()
    last = found.history.last_occasion(by)
    return _undated(stream, last.number + 1 if last else 1)


def earlier(edited_at: datetime | None, stream: UUID, found: Outcome[Any], by: type[Event]) -> list[UUID]:
    """The references of words that stood before those that stand: without a time, they are an older edition."""
    last = found.history.last_occasion(by)
    if edited_at is not None or last is None:
        return []
    return [derived_id("text", stream), *(_undated(stream, number) for number in range(1, last.number))]


def _undated(stream: UUID, number: int) -> UUID:
    return derived_id("edition", stream, number)
