"""The next edition of what was brought in before: whether its words are newer than those that stand. Pure.

What was edited here stands (`LineContext.stays`); else the later edit does. A line without a time is an edit made just
now; but where an edit was made under a time, what such a line says is the older. Of several editions of one time, or of
none, the first to say something else is the newer (a source may change words and tags without a new time), and words
that stood before are the older (`earlier`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from shared.events.event import Text
from shared.events.identity import derived_id


class Edited(Protocol):
    """What is brought in and edited: `edited_at` is when, also elsewhere before it came, `edits` how often since."""

    @property
    def id(self) -> UUID: ...
    @property
    def text(self) -> Text | None: ...
    @property
    def edited_at(self) -> datetime | None: ...
    @property
    def edits(self) -> int: ...


def newer(edited_at: datetime | None, stands: Edited) -> bool:
    """Whether an edition of that time is newer than what stands."""
    if edited_at is not None and edited_at != stands.edited_at:
        return stands.edited_at is None or edited_at > stands.edited_at
    if not stands.edits:
        return edited_at == stands.edited_at
    return stands.text is not None and stands.text.ref == _nth(stands.id, stands.edits, edited_at)


def reference(edited_at: datetime | None, stands: Edited) -> UUID:
    """The reference for the words of the next edition, which tells it from an edit made here."""
    return _nth(stands.id, stands.edits + 1, edited_at)


def earlier(edited_at: datetime | None, stands: Edited) -> list[UUID]:
    """The references of words of that time, or of none, that stood before those that stand: an older edition's."""
    if not stands.edits or edited_at not in (None, stands.edited_at):
        return []
    return [derived_id("text", stands.id), *(_nth(stands.id, number, edited_at) for number in range(1, stands.edits))]


def _nth(stream: UUID, number: int, edited_at: datetime | None) -> UUID:
    """The reference of the words that the stream's edit of that number brought in, under that time."""
    return derived_id("edition", stream, number, *([edited_at.isoformat()] if edited_at else []))
