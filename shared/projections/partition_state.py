"""How far the views are in a partition of a source, and what of it cannot be counted yet.

`position ≤ mine` is a repeat; `position > mine + 1` is a gap. A record that nobody can read has no position: it is kept
aside until the next readable one tells whether it filled a gap, and is parked at its place, or was one too many, and
is noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.projections.parked_store import Parked, note_position
from shared.projections.store import Watermark
from shared.subscription.source import Mark, Message


class PartitionState:
    """One partition of a source: how far each view is, and what was kept aside."""

    __slots__ = ("aside", "furthest", "marks", "missing", "offset", "reached")

    def __init__(self, marks: Mapping[str, Watermark]) -> None:
        self.marks = dict(marks)
        self.reached = min(mark.position for mark in self.marks.values())
        offsets = [m.offset for m in self.marks.values() if m.position == self.reached and m.offset is not None]
        self.offset = min(offsets, default=None)
        self.furthest = max((m.offset for m in self.marks.values() if m.offset is not None), default=-1)
        self.aside: list[tuple[Message, str]] = []
        self.missing: int | None = None
        """The position that was not there when it should have been."""

    @property
    def mark(self) -> Mark:
        return Mark(self.reached, self.offset)

    def take(self, draft: PartitionDraft) -> None:
        """The batch has been written, and the marks are moved."""
        self.reached = min(mark.position for mark in self.marks.values())
        self.aside, self.missing = draft.aside, draft.missing
        self.offset = draft.offset
        self.furthest = max(draft.furthest, self.furthest, -1 if draft.offset is None else draft.offset)


class PartitionDraft:
    """What a batch does to a `PartitionState`, which takes it over when the batch is written.

    `parked` are the messages that nobody can read, `repeats` counts those whose positions were read before.
    """

    __slots__ = (
        "_marks",
        "_source",
        "aside",
        "furthest",
        "missing",
        "offset",
        "parked",
        "reached",
        "recorded_at",
        "repeats",
    )

    def __init__(self, state: PartitionState, source: str) -> None:
        self._source = source
        self._marks = state.marks
        self.parked: list[Parked] = []
        self.reached = state.reached
        self.offset = state.offset
        self.furthest = state.furthest
        self.aside = list(state.aside)
        self.missing = state.missing
        self.recorded_at: Any = None
        self.repeats = 0

    def in_turn(self, message: Message, position: int) -> bool:
        """Whether the record at this position is the next one, now that what is aside has been accounted for."""
        aside = self.aside
        if position <= self.reached + 1:
            # Nothing is missing before this record, so those aside were too many. What was seen before is not news.
            for each, why in aside:
                if each.offset is not None and each.offset > self.furthest:
                    self._note(each, note_position(each.offset), why)
        elif position == self.reached + 1 + len(aside):
            for each, why in aside:
                self.reached += 1
                self._note(each, self.reached, why)
        else:
            self.missing = self.reached + 1
            self.aside = []
            return False
        self.aside = []
        if message.offset is not None and message.offset > self.furthest:
            self.furthest = message.offset
        if position <= self.reached:
            self.offset = message.offset
            self.repeats += 1
            return False
        return True

    def _note(self, message: Message, position: int, why: str) -> None:
        for view, mark in self._marks.items():
            if position < 1 or position > mark.position:
                value = message.value or b""
                self.parked.append(Parked(view, self._source, message.partition, position, None, None, why, value))
