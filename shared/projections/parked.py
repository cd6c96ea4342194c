"""What could not be folded waits here, seen by everybody, until its cause is mended and it is replayed.

A stream's parked events are replayed in order, in one transaction; the first that fails again stays with its new
reason, and so does everything behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from shared.events.envelope import from_wire
from shared.processes.process_manager import IssuedCommand
from shared.projections.batches import merge_changes
from shared.projections.merge import Merged
from shared.projections.parked_store import AFTER, Parked, Retried
from shared.projections.read_model import ReadModel, commands_of
from shared.projections.store import ReadModelStore, Unwritable, reason

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay came to, in events."""

    folded: int = 0
    kept: int = 0

    def __add__(self, other: Replay) -> Replay:
        return Replay(self.folded + other.folded, self.kept + other.kept)


async def show_parked(store: ReadModelStore, view: str, source: str, partition: int, position: int) -> Parked | None:
    """One parked event with its bytes, or None."""
    return next(iter(await store.parked(view, position=(source, partition, position))), None)


async def dismiss(store: ReadModelStore, view: str, source: str, partition: int, position: int) -> bool:
    """Take away the note about a stray record. False where there is none: an event can only be replayed."""
    note = await show_parked(store, view, source, partition, position)
    return note is not None and await store.dismiss(note)


async def replay(store: ReadModelStore, view: ReadModel, stream: UUID | None = None) -> Replay:
    """Fold the parked events of one stream, or of all. Safe while the view is read, and at any time again."""
    result = Replay()
    done: set[tuple[str, int, UUID | int]] = set()
    while todo := [each for each in await _waiting(store, view.name, stream) if _group(each) not in done]:
        for parked in todo:
            if _group(parked) not in done:
                done.add(_group(parked))
                result += await _replay_one(store, view, parked)
    return result


async def _waiting(store: ReadModelStore, view: str, stream: UUID | None) -> Sequence[Parked]:
    return await store.parked(view, stream=stream, limit=1_000_000)


def _group(parked: Parked) -> tuple[str, int, UUID | int]:
    """What is replayed together: a stream, or an event whose stream nobody knows."""
    return parked.source, parked.partition, parked.stream or parked.position


async def _replay_one(store: ReadModelStore, view: ReadModel, parked: Parked) -> Replay:
    with suppress(Unwritable):
        return await _try(store, view, parked)
    # The store cannot hold what one of them comes to: find it, one event to a transaction.
    result = Replay()
    while True:
        try:
            step = await _try(store, view, parked, limit=1)
        except Unwritable as error:
            return result + await _keep(store, view, parked, str(error))
        result += Replay(step.folded)
        if not step.folded or not step.kept:
            return result + Replay(0, step.kept)


async def _try(store: ReadModelStore, view: ReadModel, parked: Parked, limit: int | None = None) -> Replay:
    def retry(found: Sequence[Parked]) -> Retried:
        return refold(view, found, limit)

    retried = await store.replay(view.name, parked, view.generation, retry)
    for each in retried.kept[:1]:
        if not (limit and retried.folded):
            _logger.warning("event stays parked", view=view.name, position=each.position, reason=each.reason)
    return Replay(len(retried.folded), len(retried.kept))


async def _keep(store: ReadModelStore, view: ReadModel, parked: Parked, why: str) -> Replay:
    def retry(found: Sequence[Parked]) -> Retried:
        return Retried({}, [], [replace(each, reason=AFTER if n else why) for n, each in enumerate(found)])

    return Replay(0, len((await store.replay(view.name, parked, view.generation, retry)).kept))


def refold(view: ReadModel, parked: Sequence[Parked], limit: int | None = None) -> Retried:
    """Fold a stream's parked events in order, up to the first that fails or up to `limit` of them.

    Of those that stay the first has the reason, the others stay because of it.
    """
    changes: Merged = {}
    commands: list[IssuedCommand] = []
    for index, each in enumerate(parked):
        if limit is not None and index >= limit:
            return Retried(changes, parked[:index], parked[index:], commands)
        try:
            record = from_wire(each.value)
            found = []
            if each.position > 0 and record.type in view.catalogue:
                found = list(view.fold(view.catalogue.decode(record.type, record.data), record))
            issued = [] if view.tables else commands_of(view, record, found)
        except Exception as error:  # whatever a fold raises, the event stays parked with it
            first, *later = parked[index:]
            kept = [_because(first, reason(error)), *(_because(p, AFTER) for p in later)]
            return Retried(changes, parked[:index], kept, commands)
        if view.tables:
            merge_changes(found, changes)
        else:
            commands += issued
    return Retried(changes, parked, [], commands)


def _because(parked: Parked, why: str) -> Parked:
    return Parked(
        parked.view, parked.source, parked.partition, parked.position, parked.stream, parked.type, why,
        parked.value, parked.parked_at,
    )  # fmt: skip
