"""From messages to a batch, without I/O: every position is checked, every event folded or parked, none passed over.

`position ≤ mine` is a repeat and skipped; `position = mine + 1` is folded; anything else is a gap, at which the
partition stops while the others go on (`partition_state.py`). What cannot be folded is parked with its stream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from shared.events.catalogue import stem
from shared.events.envelope import from_wire
from shared.events.event import Event, Recorded, Undecodable
from shared.projections.merge import Merged, merge
from shared.projections.parked_store import AFTER, parked_event
from shared.projections.partition_state import PartitionDraft, PartitionState
from shared.projections.read_model import Change, ReadModel, commands_of
from shared.projections.store import Batch, Unwritable, Watermark, WatermarkMove, reason
from shared.subscription.source import Message


@dataclass(slots=True)
class Folded:
    """A batch, and what becomes of the reader's own state when it is written."""

    batch: Batch
    steps: dict[int, PartitionDraft]
    events: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    beyond: set[int] = field(default_factory=set)
    """Partitions of which messages were left out because of the limits; they must be read again."""
    parked: set[tuple[str, UUID]] = field(default_factory=set)
    traced: list[Recorded] = field(default_factory=list)
    """Those of the events folded that carry a trace."""

    @property
    def repeats(self) -> int:
        """Messages whose positions were read before."""
        return sum(step.repeats for step in self.steps.values())

    @property
    def gaps(self) -> dict[int, int]:
        """By partition, the position that is missing."""
        return {p: step.missing for p, step in self.steps.items() if step.missing is not None}


class BatchBuilder:
    """Folds one source's messages into its views. `load` sets `states`, `Feed.load` `parked`; `written` moves both.

    A view is given every version of what it reads: one that it does not know is parked, never passed by.
    """

    def __init__(self, views: Iterable[ReadModel], source: str) -> None:
        self.source = source
        self.views = [view for view in views if source in view.sources]
        self.names = [view.name for view in self.views]
        self.states: dict[int, PartitionState] = {}
        self.parked: dict[str, set[UUID]] = {name: set() for name in self.names}
        self._routes: dict[str, list[tuple[ReadModel, list[ReadModel]]]] = {}
        for view in self.views:
            for read, events in view.catalogue.handed_out.items():
                for first, others in self._routes.setdefault(read, []):
                    if first.catalogue.handed_out[read] == events:
                        others.append(view)
                        break
                else:
                    self._routes[read].append((view, [view]))

    def load(self, watermarks: Mapping[tuple[str, int], Watermark]) -> None:
        """Take these partitions as the store has them."""
        for partition in sorted({partition for _, partition in watermarks}):
            self.states[partition] = PartitionState({name: watermarks[name, partition] for name in self.names})

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
                step = folded.steps[message.partition] = PartitionDraft(self.states[message.partition], self.source)
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
            if (position != step.reached + 1 or step.aside) and not step.in_turn(message, position):
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
            self.states[move.partition].marks[move.view] = Watermark(move.position, move.offset, token)
        for parked in folded.batch.parked:
            if parked.stream is not None:
                self.parked[parked.view].add(parked.stream)
        for partition, step in folded.steps.items():
            self.states[partition].take(step)

    def _read(self, message: Message) -> Recorded:
        record = from_wire(message.value or b"")
        if (record.service, record.partition) != (self.source, message.partition):
            raise Undecodable("the envelope is of another service or partition")
        return record

    def _take(
        self, folded: Folded, record: Recorded, message: Message, only: Collection[str] | None, refused: str | None
    ) -> None:
        routes = self._routes.get(stem(record.type))
        if routes is None:
            folded.unknown[record.type] += 1
            return
        marks = self.states[record.partition].marks
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
                        issued = [] if view.tables else commands_of(view, record, changes)
                    except Exception as error:  # whatever a fold raises, the event is parked with it
                        why = reason(error)
                    else:
                        if view.tables:
                            merge_changes(changes, folded.batch.changes.setdefault(view.generation, {}))
                        else:
                            folded.batch.commands += issued
                        continue
                folded.parked.add((name, record.stream))
                folded.batch.parked.append(parked_event(name, record, why, message.value))

    def _move(self, folded: Folded, only: Collection[str] | None) -> None:
        for partition, step in folded.steps.items():
            folded.batch.parked += step.parked
            state = self.states[partition]
            for name in self.names if only is None else only:
                before = state.marks[name]
                if step.reached >= before.position and (step.reached, step.offset) != (before.position, before.offset):
                    move = WatermarkMove(
                        name, self.source, partition, before, step.reached, step.offset, step.recorded_at
                    )
                    folded.batch.moves.append(move)


def merge_changes(changes: Sequence[Change], into: Merged) -> None:
    """Raises `Unwritable` for what are no changes: part of it is merged then, and the whole batch is not to be used."""
    try:
        merge(changes, into)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise Unwritable(reason(error)) from error
