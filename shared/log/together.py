"""Which of the requests that wait may go into one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.log.claims import places
from shared.log.port import Append
from shared.log.queue import Pending


def independent(batch: Sequence[Pending]) -> tuple[list[Pending], list[Pending]]:
    """Those that may go into one transaction, and those that must come after it.

    Guards are looked at before anything is written, so two requests of which one writes what the other guards would
    both pass in one transaction, as if each had been first; so would two that take one claim. Of two requests with one
    key the second is refused, and all that is in one transaction with it.
    """
    if not any(is_guarded(pending.request) or pending.request.key for pending in batch):
        return list(batch), []
    together: list[Pending] = []
    apart: list[Pending] = []
    written: set[UUID] = set()
    guarded: set[UUID] = set()
    keys: set[UUID] = set()
    for pending in batch:
        writes = {write.stream for write in pending.request.writes}
        guards = {guard.stream for guard in pending.request.guards}
        key = places(pending.request) | ({pending.request.key.id} if pending.request.key else set())
        if guards.isdisjoint(written) and writes.isdisjoint(guarded) and key.isdisjoint(keys):
            written |= writes
            guarded |= guards
            keys |= key
            together.append(pending)
        else:
            apart.append(pending)
    return together, apart


def is_guarded(request: Append) -> bool:
    """Whether more partitions are concerned than those that are written."""
    return bool(request.guards or request.taken or request.released)
