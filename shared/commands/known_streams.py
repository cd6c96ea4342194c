"""What is known of streams: each is loaded once, kept, and brought up to date by the events written since.

A state from memory may be behind what another process wrote. It may not be ahead of the log: whoever appends says what
an append came to, and whoever notices that the database began anew has all of it forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.events.catalogue import Catalogue, UnknownType
from shared.events.decider import Decider
from shared.events.errors import NotFound, Unavailable
from shared.events.event import Event, Recorded, wire_name
from shared.events.fact import Fact, fact_of
from shared.log.port import Log, Position


@dataclass(slots=True)
class KnownStream:
    """A stream as it was when it was last read or written; without events, `state` and `began` are None.

    `began` is its first fact: what a repeated creation is compared with, and who brought it in. `here` are the kinds of
    its events that were done here and not brought in: what no backfill changes.
    """

    kind: str
    community: UUID | None
    state: Any = None
    version: int = 0
    position: Position | None = None
    began: Fact[Any] | None = None
    here: frozenset[type[Event]] = frozenset()

    def then(
        self, decider: Decider[Any, Any], facts: Sequence[Fact[Any]], community: UUID, position: Position | None
    ) -> KnownStream:
        """The same stream after more facts, the last of which stands at that position."""
        if not facts:
            return self
        state, here = decider.fold(facts, self.state), self.here
        for fact in facts:
            if fact.imported_by is None and type(fact.event) not in here:
                here |= {type(fact.event)}
        return KnownStream(decider.name, community, state, facts[-1].version, position, self.began or facts[0], here)


class KnownStreams:
    """The streams of one log that were used last, `capacity` of them."""

    def __init__(self, log: Log, catalogue: Catalogue, capacity: int) -> None:
        self._log = log
        self._catalogue = catalogue
        self._capacity = capacity
        self._known: OrderedDict[UUID, KnownStream] = OrderedDict()
        self.log_number = 0
        """How many logs this was before: what was seen in one of them says nothing of the next."""

    def __contains__(self, stream: UUID) -> bool:
        return stream in self._known

    def forget(self, stream: UUID) -> None:
        self._known.pop(stream, None)

    def forget_all(self) -> None:
        self._known.clear()
        self.log_number += 1

    async def current(self, decider: Decider[Any, Any], stream: UUID, community: UUID, *, fresh: bool) -> KnownStream:
        """What is known of a stream, from memory unless it is to be fresh."""
        known = None if fresh else self._known.get(stream)
        if known is None:
            known = await self.refresh(decider, stream, community)
        else:
            _check(known, decider, community)
        return known

    async def refresh(self, decider: Decider[Any, Any], stream: UUID, community: UUID | None) -> KnownStream:
        """What is known of a stream, brought up to date by the events that were written since."""
        while True:
            began = self.log_number
            known = self._known.get(stream) or KnownStream(decider.name, community)
            _check(known, decider, community)
            records = await self._log.load(stream, known.version)
            if began == self.log_number:  # else the look itself has found that the log is another one
                break
        known = self._with(known, decider, records, community)
        if known.version:
            self.remember(stream, known, began)
        return known

    async def as_of(self, decider: Decider[Any, Any], stream: UUID, version: int, community: UUID) -> KnownStream:
        """The stream as it was at that version."""
        records = [record for record in await self._log.load(stream) if record.version <= version]
        return self._with(KnownStream(decider.name, None), decider, records, community)

    def _with(
        self, known: KnownStream, decider: Decider[Any, Any], records: Sequence[Recorded], community: UUID | None
    ) -> KnownStream:
        """What is known of a stream after these more of its events."""
        if not records:
            return known
        try:
            events = [self._catalogue.decode(record.type, record.data) for record in records]
        except UnknownType as error:  # written by a newer release, which runs beside this one
            raise Unavailable(f"{error}: a newer release has written it. Try again.", retry_after=1) from error
        if any(wire_name(type(event)) not in decider.types for event in events):
            raise _no_such(decider)
        last, facts = records[-1], list(map(fact_of, events, records))
        known = known.then(decider, facts, last.community, Position(last.partition, last.position))
        _check(known, decider, community)
        return known

    def remember(self, stream: UUID, known: KnownStream, log_number: int) -> None:
        """Keep it, if the log in which it was seen is still the one there is."""
        if log_number != self.log_number:
            return
        present = self._known.get(stream)
        if present is None or present.version <= known.version:
            self._known[stream] = known
        self._known.move_to_end(stream)
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)


def _check(known: KnownStream, decider: Decider[Any, Any], community: UUID | None) -> None:
    """The stream is what the caller takes it for, and where. Raises `NotFound` otherwise."""
    if known.kind != decider.name or (community is not None and known.community not in (None, community)):
        raise _no_such(decider)


def _no_such(decider: Decider[Any, Any]) -> NotFound:
    return NotFound(f"There is no such {decider.name}.")
