"""From messages to a batch, without I/O: every position is checked, every event folded or parked, none passed over.

`position ≤ mine` is a repeat and skipped; `position = mine + 1` is folded; anything else is a gap, at which the
partition stops while the others go on. A record that nobody can read has no position: it is kept aside until the next
readable one tells whether it filled a gap, and is parked at its place, or was one too many, and is noted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from shared.event import Event, Recorded, Undecodable, from_wire, to_wire
from shared.reactions import Order
from shared.stream.source import Mark, Message
from shared.views.merge import Merged, merge
from shared.views.store import Batch, Move, Parked, Refused, Retried, Watermark, note_position, reason
from shared.views.view import Change, View, orders_in

AFTER = "an earlier event of its stream is parked"


class Track:
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


class _Step:
    """What a batch does to a track; it becomes the track's when the batch is written."""

    __slots__ = ("aside", "furthest", "missing", "offset", "reached", "recorded_at")

    def __init__(self, track: Track) -> None:
        self.reached = track.reached
        self.offset = track.offset
        self.furthest = track.furthest
        self.aside = list(track.aside)
        self.missing = track.missing
        self.recorded_at: Any = None


@dataclass(slots=True)
class Folded:
    """A batch, and what becomes of the reader's own state when it is written."""

    batch: Batch
    steps: dict[int, _Step]
    events: int = 0
    repeats: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    beyond: set[int] = field(default_factory=set)
    """Partitions of which messages were left out because of the limits; they must be read again."""
    parked: set[tuple[str, UUID]] = field(default_factory=set)
    traced: list[Recorded] = field(default_factory=list)
    """Those of the events folded that carry a trace."""

    @property
    def gaps(self) -> dict[int, int]:
        """By partition, the position that is missing."""
        return {p: step.missing for p, step in self.steps.items() if step.missing is not None}


class Folder:
    """Folds one source's messages into its views. `tracks` and `parked` are what the store says, by `load`."""

    def __init__(self, views: Iterable[View], source: str) -> None:
        self.source = source
        self.views = [view for view in views if source in view.sources]
        self.names = [view.name for view in self.views]
        self.tracks: dict[int, Track] = {}
        self.parked: dict[str, set[UUID]] = {name: set() for name in self.names}
        self._routes: dict[str, list[tuple[View, list[View]]]] = {}
        for view in self.views:
            for name, event in view.catalogue.events.items():
                for first, others in self._routes.setdefault(name, []):
                    if first.catalogue.events[name] is event:
                        others.append(view)
                        break
                else:
                    self._routes[name].append((view, [view]))

    def load(self, watermarks: Mapping[tuple[str, int], Watermark]) -> None:
        """Take these partitions as the store has them."""
        for partition in sorted({partition for _, partition in watermarks}):
            self.tracks[partition] = Track({name: watermarks[name, partition] for name in self.names})

    def fold(
        self,
        messages: Sequence[Message],
        *,
        only: Collection[str] | None = None,
        refused: str | None = None,
        limits: Mapping[int, int] | None = None,
    ) -> Folded:
        """What these messages come to for all views, or for `only` those.

        Every event among them is parked for the reason `refused`, where that is given. Beyond the positions in
        `limits` (by partition) nothing is folded.
        """
        folded = Folded(Batch(), {})
        for message in messages:
            step = folded.steps.get(message.partition)
            if step is None:
                step = folded.steps[message.partition] = _Step(self.tracks[message.partition])
            if step.missing is not None:
                continue
            record = message.record
            if record is None:
                try:
                    record = self._read(message)
                except Undecodable as error:
                    step.aside.append((message, reason(error)))
                    continue
            position = record.position
            if limits is not None and position > limits[message.partition]:
                folded.beyond.add(message.partition)
                continue
            if (position != step.reached + 1 or step.aside) and not self._in_turn(folded, step, message, position):
                continue
            self._take(folded, record, message, only, refused)
            step.reached = position
            step.recorded_at = record.recorded_at
            step.offset = message.offset
            folded.events += 1
            if record.traceparent is not None:
                folded.traced.append(record)
        self._move(folded, only)
        return folded

    def written(self, folded: Folded, token: object) -> None:
        """The batch has been written: go on from there."""
        for move in folded.batch.moves:
            self.tracks[move.partition].marks[move.view] = Watermark(move.position, move.offset, token)
        for parked in folded.batch.parked:
            if parked.stream is not None:
                self.parked[parked.view].add(parked.stream)
        for partition, step in folded.steps.items():
            track = self.tracks[partition]
            track.reached = min(mark.position for mark in track.marks.values())
            track.aside, track.missing = step.aside, step.missing
            track.offset = step.offset
            track.furthest = max(step.furthest, track.furthest, -1 if step.offset is None else step.offset)

    def _read(self, message: Message) -> Recorded:
        record = from_wire(message.value or b"")
        if (record.service, record.partition) != (self.source, message.partition):
            raise Undecodable("the envelope is of another service or partition")
        return record

    def _in_turn(self, folded: Folded, step: _Step, message: Message, position: int) -> bool:
        """Whether the record at this position is the next one, now that what is aside has been accounted for."""
        aside = step.aside
        if position <= step.reached + 1:
            # Nothing is missing before this record, so those aside were too many. What was seen before is not news.
            for each, why in aside:
                if each.offset is not None and each.offset > step.furthest:
                    self._note(folded, each, note_position(each.offset), why)
        elif position == step.reached + 1 + len(aside):
            for each, why in aside:
                step.reached += 1
                self._note(folded, each, step.reached, why)
        else:
            step.missing = step.reached + 1
            step.aside = []
            return False
        step.aside = []
        if message.offset is not None and message.offset > step.furthest:
            step.furthest = message.offset
        if position <= step.reached:
            step.offset = message.offset
            folded.repeats += 1
            return False
        return True

    def _note(self, folded: Folded, message: Message, position: int, why: str) -> None:
        for name in self.names:
            if position < 1 or position > self.tracks[message.partition].marks[name].position:
                folded.batch.parked.append(
                    Parked(name, self.source, message.partition, position, None, None, why, message.value or b"")
                )

    def _take(
        self, folded: Folded, record: Recorded, message: Message, only: Collection[str] | None, refused: str | None
    ) -> None:
        routes = self._routes.get(record.type)
        if routes is None:
            folded.unknown[record.type] += 1
            return
        marks = self.tracks[record.partition].marks
        for first, views in routes:
            event: Event | None = None
            for view in views:
                name = view.name
                if marks[name].position >= record.position or (only is not None and name not in only):
                    continue
                why = refused
                before = self.parked[name]
                if (before and record.stream in before) or (folded.parked and (name, record.stream) in folded.parked):
                    why = AFTER
                elif why is None:
                    try:
                        if event is None:
                            event = first.catalogue.decode(record.type, record.data)
                        changes = list(view.fold(event, record))
                    except Exception as error:  # whatever a fold raises, the event is parked with it
                        why = reason(error)
                    else:
                        if view.tables:
                            _merge(changes, folded.batch.changes.setdefault(view.generation, {}))
                        else:
                            folded.batch.orders += orders_in(changes)
                        continue
                folded.parked.add((name, record.stream))
                folded.batch.parked.append(parked_event(name, record, why, message.value))

    def _move(self, folded: Folded, only: Collection[str] | None) -> None:
        for partition, step in folded.steps.items():
            track = self.tracks[partition]
            for name in self.names if only is None else only:
                before = track.marks[name]
                if step.reached >= before.position and (step.reached, step.offset) != (before.position, before.offset):
                    move = Move(name, self.source, partition, before, step.reached, step.offset, step.recorded_at)
                    folded.batch.moves.append(move)


def _merge(changes: Sequence[Change], into: Merged) -> None:
    """Raises `Refused` for what are no changes: part of it is merged then, and the whole batch is not to be used."""
    try:
        merge(changes, into)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise Refused(reason(error)) from error


def parked_event(view: str, record: Recorded, why: str, value: bytes | None) -> Parked:
    """The record as a parked event of that view."""
    return Parked(
        view, record.service, record.partition, record.position, record.stream, record.type, why,
        to_wire(record) if value is None else value,
    )  # fmt: skip


def refold(view: View, parked: Sequence[Parked], limit: int | None = None) -> Retried:
    """Fold a stream's parked events in order, up to the first that fails or up to `limit` of them.

    Of those that stay the first has the reason, the others stay because of it.
    """
    changes: Merged = {}
    orders: list[Order[Any, Any]] = []
    for index, each in enumerate(parked):
        if limit is not None and index >= limit:
            return Retried(changes, parked[:index], parked[index:], orders)
        try:
            record = from_wire(each.value)
            found = []
            if each.position > 0 and record.type in view.catalogue:
                found = list(view.fold(view.catalogue.decode(record.type, record.data), record))
        except Exception as error:  # whatever a fold raises, the event stays parked with it
            first, *later = parked[index:]
            kept = [_because(first, reason(error)), *(_because(p, AFTER) for p in later)]
            return Retried(changes, parked[:index], kept, orders)
        if view.tables:
            _merge(found, changes)
        else:
            orders += orders_in(found)
    return Retried(changes, parked, [], orders)


def _because(parked: Parked, why: str) -> Parked:
    return Parked(
        parked.view, parked.source, parked.partition, parked.position, parked.stream, parked.type, why,
        parked.value, parked.parked_at,
    )  # fmt: skip
