"""A command is: load the state, decide, append; again from a fresh state when somebody else was first.

A decision that writes nothing (a repetition or a refusal) is believed only on states just read, since a state
from the cache may be behind what another process wrote; one that writes is checked by the append itself: every stream
that it rests on, written or not, must still be at the version it was decided on.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.decider import Decider
from shared.errors import Conflict, NotFound, PreconditionFailed, Problem, TooLarge
from shared.event import Catalogue, Event, Recorded, encode_data, wire_name
from shared.history import Done, History
from shared.identity import derived_id
from shared.log.port import LARGEST_EVENT, Append, Guard, Log, NewEvent, Position, Secret, VersionConflict, Write
from shared.preconditions import Precondition, Tags
from shared.tracing import appending
from shared.turns import Turns

S = TypeVar("S")
E = TypeVar("E", bound=Event)
F = TypeVar("F", bound=Event)

ATTEMPTS = 8
"""How often a command is decided before it is given up as contended."""


@dataclass(frozen=True, slots=True)
class Act:
    """Who does it, in which community, when it happened, which event caused it, and who brings it in, if so."""

    community: UUID
    actor: UUID | None
    occurred_at: datetime
    causation: UUID | None = None
    imported_by: UUID | None = None

    @property
    def done(self) -> Done:
        """What of it the history of a stream keeps."""
        return Done(self.occurred_at, self.actor, self.imported_by)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S]):
    """A stream's state after a command or a look; `events` are the new ones, none where nothing had to change.

    `version` counts the stream's events, `position` is where the last of them stands, `history` tells their times.
    """

    state: S
    version: int
    events: tuple[Event, ...]
    position: Position | None
    history: History

    @property
    def begun(self) -> bool:
        """Whether the stream began with this command, so that nobody can have answered to it yet."""
        return 0 < self.version == len(self.events)


@dataclass(frozen=True, slots=True)
class Step(Generic[S, E]):
    """One stream's part in a command that writes to several or to none."""

    decider: Decider[S, E]
    stream: UUID
    decide: Callable[..., list[E]]
    expect: Precondition | int | None = None
    """What is asked of the stream as it is; a number stands for that version."""
    new: bool = False
    """Its id was made just now, so nobody can have written to it: it is decided on without a look."""
    there: Callable[[S], bool] | None = None
    """Whether what the command is about exists, where that is more than that the stream has events."""


Basis = tuple[Decider[Any, Any], UUID]
"""A stream that a decision rests on without writing to it: a role of who acts, the suggestion that is voted on."""


@dataclass(slots=True)
class _Known:
    """A stream as it was when it was last read or written."""

    kind: str
    community: UUID | None
    state: Any
    position: Position | None = None
    history: History = field(default_factory=History)

    @property
    def version(self) -> int:
        return self.history.version

    def outcome(self, events: tuple[Event, ...] = ()) -> Outcome[Any]:
        return Outcome(self.state, self.version, events, self.position, self.history)


class Commands:
    """Executes commands on one log; one per process, since it holds the states and the turns."""

    def __init__(self, log: Log, catalogue: Catalogue, *, cache: int = 10_000) -> None:
        self.log = log
        self._catalogue = catalogue
        self._cache: OrderedDict[UUID, _Known] = OrderedDict()
        self._capacity = cache
        self._turns = Turns()

    async def load(self, decider: Decider[S, E], stream: UUID, *, community: UUID | None = None) -> Outcome[S]:
        """The stream as it is now; version 0 where it has no events.

        Raises `NotFound` when the stream is of another kind than the decider's, or of another community than the one
        named: an id alone must not reach into somebody else's.
        """
        found = await self._refresh(decider, stream, community)
        return found.outcome()

    async def happened_at(self, stream: UUID, kind: type[F], moment: datetime) -> list[F]:
        """The stream's events of that kind that happened then. So a backfill knows a line that was brought in before,
        whatever became of it since.
        """
        then = [record for record in await self.log.load(stream) if record.occurred_at == moment]
        events = [self._catalogue.decode(record.type, record.data) for record in then]
        return [event for event in events if isinstance(event, kind)]

    async def load_as_of(self, decider: Decider[S, E], stream: UUID, moment: datetime, *, community: UUID) -> S:
        """The stream's state with what happened after that moment left out, its beginning excepted.

        Raises `NotFound` as `load`.
        """
        found = await self.load(decider, stream, community=community)
        if not found.history.goes_beyond(moment):
            return found.state
        first, *rest = await self.log.load(stream)
        then = [first, *(record for record in rest if record.occurred_at <= moment)]
        events = [self._catalogue.decode(record.type, record.data) for record in then]
        return decider.fold(cast("list[E]", events))

    async def execute(
        self,
        decider: Decider[S, E],
        stream: UUID,
        decide: Callable[..., list[E]],
        *,
        act: Act,
        on: Sequence[Basis] = (),
        secrets: Sequence[Secret] = (),
        expect: Precondition | int | None = None,
        new: bool = False,
        there: Callable[[S], bool] | None = None,
    ) -> Outcome[S]:
        """Decide on a stream and write what follows, with the secrets in the same transaction.

        `on` names other streams that the decision rests on: `decide` is given their states behind its own, and what it
        decides takes effect only while they are as they were. `expect`, `new` and `there` as in `Step`. Raises
        `PreconditionFailed` when the stream is not as expected, unless what is asked for is so already and
        `Precondition.forgives` that. Raises what `decide` raises, `Conflict` when others keep being first,
        `Unavailable` as `Log.append`.
        """
        step = Step(decider, stream, decide, expect, new, there)
        (outcome,) = await self.execute_together([step], act=act, on=on, secrets=secrets)
        return cast("Outcome[S]", outcome)

    async def execute_together(
        self,
        steps: Sequence[Step[Any, Any]],
        *,
        act: Act,
        on: Sequence[Basis] = (),
        secrets: Sequence[Secret] = (),
    ) -> list[Outcome[Any]]:
        """Decide on several streams and write all that follows or nothing; each stream stands once in `steps`.

        `on` as in `execute`; a stream may stand in `steps` and in `on`. A step that decides nothing is a guard as well.
        """
        written = {step.stream for step in steps}
        others = {stream: decider for decider, stream in on if stream not in written}
        looked_at = [*steps, *(Step(decider, stream, _nothing) for stream, decider in others.items())]
        async with self._turns.on({step.stream for step in steps if not step.new}):
            for attempt in range(ATTEMPTS):
                fresh = attempt > 0 or not all(self._cached(step) for step in looked_at)
                before = [
                    _Known(step.decider.name, act.community, step.decider.initial)
                    if step.new and not attempt
                    else await self._current(step, act.community, fresh=fresh)
                    for step in looked_at
                ]
                moved_on, forgiven = _moved_on(looked_at, before)
                known_as = {step.stream: known.state for step, known in zip(looked_at, before, strict=True)}
                bases = [known_as[stream] for _, stream in on]
                try:
                    decided = [_decide(step, known_as[step.stream], bases) for step in steps]
                except Problem:
                    if not fresh:
                        continue
                    if moved_on:
                        raise moved_on from None
                    raise
                if not fresh and (moved_on or not any(decided)):
                    continue
                if moved_on and (any(decided) or not forgiven):
                    raise moved_on
                if not any(decided):
                    return [known.outcome() for known in before[: len(steps)]]
                decided += [[]] * (len(looked_at) - len(steps))
                try:
                    return (await self._append(looked_at, before, decided, act, secrets))[: len(steps)]
                except VersionConflict:
                    # Somebody else's turn; a random pause lets one of two that keep meeting go first.
                    await asyncio.sleep(random.random() * 0.001 * 2**attempt)  # noqa: S311 - no secret
        raise Conflict("Others are changing this at the same moment. Try again.", retry_after=1)

    async def _append(
        self,
        steps: Sequence[Step[Any, Any]],
        before: Sequence[_Known],
        decided: Sequence[list[Event]],
        act: Act,
        secrets: Sequence[Secret],
    ) -> list[Outcome[Any]]:
        writes = tuple(
            Write(step.stream, known.version, _new(act, step.stream, known.version, events))
            for step, known, events in zip(steps, before, decided, strict=True)
            if events
        )
        guards = tuple(
            Guard(step.stream, known.version)
            for step, known, events in zip(steps, before, decided, strict=True)
            if not events and not step.new
        )
        try:
            # What nobody did carries no trace either: whoever keeps traces by caller would know who nobody was.
            nobodys = act.actor is None and act.causation is None
            with nullcontext() if nobodys else appending(self.log.service) as trace:
                request = Append(
                    act.community,
                    act.actor,
                    act.occurred_at,
                    act.causation,
                    writes,
                    tuple(secrets),
                    trace,
                    guards,
                    act.imported_by,
                )
                positions = iter(await self.log.append(request))
        except BaseException:
            # Refused, lost or cancelled: whatever the stream holds now, it may not be what we believed.
            for step in steps:
                self._cache.pop(step.stream, None)
            raise
        outcomes = []
        for step, known, events in zip(steps, before, decided, strict=True):
            times = [act.occurred_at] * len(events)
            state, position = step.decider.fold(events, known.state, times), known.position
            for _ in events:
                position = next(positions)
            history = known.history.then((event, act.done) for event in events)
            after = _Known(step.decider.name, act.community, state, position, history)
            self._remember(step.stream, after)
            outcomes.append(after.outcome(tuple(events)))
        return outcomes

    def _cached(self, step: Step[Any, Any]) -> bool:
        return step.stream in self._cache

    async def _current(self, step: Step[Any, Any], community: UUID, *, fresh: bool) -> _Known:
        known = None if fresh else self._cache.get(step.stream)
        if known is None:
            known = await self._refresh(step.decider, step.stream, community)
        else:
            _check(known, step.decider, community)
        return known

    async def _refresh(self, decider: Decider[Any, Any], stream: UUID, community: UUID | None) -> _Known:
        """What is known of a stream, brought up to date by the events that were written since."""
        known = self._cache.get(stream) or _Known(decider.name, community, decider.initial)
        _check(known, decider, community)
        records = await self.log.load(stream, known.version)
        if records:
            events = [self._catalogue.decode(record.type, record.data) for record in records]
            if any(wire_name(type(event)) not in decider.types for event in events):
                raise _no_such(decider)
            last, times = records[-1], [record.occurred_at for record in records]
            known = _Known(
                decider.name,
                last.community,
                decider.fold(events, known.state, times),
                Position(last.partition, last.position),
                known.history.then(zip(events, map(_done, records), strict=True)),
            )
            _check(known, decider, community)
        if known.version:
            self._remember(stream, known)
        return known

    def _remember(self, stream: UUID, known: _Known) -> None:
        present = self._cache.get(stream)
        if present is None or present.version <= known.version:
            self._cache[stream] = known
        self._cache.move_to_end(stream)
        if len(self._cache) > self._capacity:
            self._cache.popitem(last=False)


def _done(record: Recorded) -> Done:
    return Done(record.occurred_at, record.actor, record.imported_by)


def _moved_on(steps: Sequence[Step[Any, Any]], before: Sequence[_Known]) -> tuple[PreconditionFailed | None, bool]:
    """What is to be said of the first stream that is not as expected; and whether that is forgiven to a repetition."""
    for step, known in zip(steps, before, strict=True):
        if (expect := step.expect) is None:
            continue
        if isinstance(expect, int):
            expect = Precondition(Tags(frozenset({str(expect)})))
        there = known.version > 0 and (step.there is None or step.there(known.state))
        if (header := expect.broken(known.version, there=there)) is not None:
            now = f"is at version {known.version}" if there else "does not exist"
            failed = PreconditionFailed(
                f"The {step.decider.name} {now}, which `{header}` rules out. Read it again.", header=header
            )
            return failed, expect.forgives(known.version)
    return None, False


def _decide(step: Step[Any, Any], state: Any, bases: Sequence[Any]) -> list[Event]:
    return cast("list[Event]", step.decide(state, *bases))


def _nothing(*_: Any) -> list[Event]:
    return []


def _new(act: Act, stream: UUID, version: int, events: Sequence[Event]) -> tuple[NewEvent, ...]:
    """The events with ids: new ones, or those that follow from what caused them."""
    made = []
    for number, event in enumerate(events, version + 1):
        data = encode_data(event)
        if len(data) > LARGEST_EVENT:
            raise TooLarge(f"This makes an event of {len(data)} bytes; at most {LARGEST_EVENT} can be written.")
        event_id = uuid7() if act.causation is None else derived_id("caused", act.causation, stream, number)
        made.append(NewEvent(event_id, wire_name(type(event)), data))
    return tuple(made)


def _check(known: _Known, decider: Decider[Any, Any], community: UUID | None) -> None:
    """The stream is what the caller takes it for, and where. Raises `NotFound` otherwise."""
    if known.kind != decider.name or (community is not None and known.community not in (None, community)):
        raise _no_such(decider)


def _no_such(decider: Decider[Any, Any]) -> NotFound:
    return NotFound(f"There is no such {decider.name}.")
