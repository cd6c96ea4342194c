"""A command is: load the state, decide, append; again from a fresh state when somebody else was first.

A decision that writes nothing (a repetition or a refusal) is believed only on states just read, since a state
from the cache may be behind what another process wrote; one that writes is checked by the append itself: every stream
that it rests on, written or not, must still be at the version it was decided on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.commands.claims import moved_claims
from shared.commands.decisions import Basis, StreamDecision
from shared.commands.expectations import first_broken
from shared.commands.known_streams import KnownStream, KnownStreams
from shared.commands.outcome import Outcome, outcome_of
from shared.commands.preconditions import Precondition
from shared.commands.stream_locks import StreamLocks
from shared.commands.words import moved_words
from shared.events.catalogue import Catalogue
from shared.events.decider import Decider
from shared.events.errors import Conflict, Problem, Taken, TooLarge
from shared.events.event import Event, encode_data, wire_name
from shared.events.fact import Fact
from shared.events.identity import derived_id
from shared.log.keys import IdempotencyKey
from shared.log.port import (
    LARGEST_EVENT,
    Append,
    ClaimTaken,
    Guard,
    Log,
    NewEvent,
    VaultRow,
    VersionConflict,
    Write,
)
from shared.telemetry.tracing import appending

S = TypeVar("S")
E = TypeVar("E", bound=Event)

ATTEMPTS = 8
"""How often a command is decided before it is given up as contended."""


@dataclass(frozen=True, slots=True)
class CommandMetadata:
    """Who does it, in which community, when it happened, which event caused it, who brings it in, if so, and what the
    request is known by, if it may come again.
    """

    community: UUID
    actor: UUID | None
    occurred_at: datetime
    causation: UUID | None = None
    imported_by: UUID | None = None
    key: IdempotencyKey | None = None


class Commands:
    """Executes commands on one log; one per process, since it holds the states and the turns."""

    def __init__(self, log: Log, catalogue: Catalogue, *, cache: int = 10_000) -> None:
        self.log = log
        self._streams = KnownStreams(log, catalogue, cache)
        self._turns = StreamLocks()

    def forget(self) -> None:
        """The log may not be the one it was: states are read anew, also by those who are at it."""
        self._streams.forget_all()

    async def load(self, decider: Decider[S, E], stream: UUID, *, community: UUID | None = None) -> Outcome[S | None]:
        """The stream as it is now; without events its state is None and its version 0.

        Raises `NotFound` when the stream is of another kind than the decider's, or of another community than the one
        named: an id alone must not reach into somebody else's.
        """
        return outcome_of(await self._streams.refresh(decider, stream, community))

    async def as_of(self, decider: Decider[S, E], stream: UUID, version: int, *, community: UUID) -> Outcome[S | None]:
        """The stream as it was at that version. Raises `NotFound` as `load`."""
        return outcome_of(await self._streams.as_of(decider, stream, version, community))

    async def execute(
        self,
        decider: Decider[S, E],
        stream: UUID,
        decide: Callable[..., list[E]],
        *,
        act: CommandMetadata,
        on: Sequence[Basis] = (),
        secrets: Sequence[VaultRow] = (),
        expect: Precondition | int | None = None,
        new: bool = False,
        there: Callable[[S], bool] | None = None,
    ) -> Outcome[S | None]:
        """Decide on a stream, whether it has begun (else its state is None) or not, and write what follows, with the
        secrets in the same transaction.

        `on` names other streams that the decision rests on: `decide` is given their states behind its own, and what it
        decides takes effect only while they are as they were. `expect`, `new` and `there` as in `StreamDecision`.
        Raises `PreconditionFailed` when the stream is not as expected, unless what is asked for is so already and
        `Precondition.forgives` that. Raises what `decide` raises, `Conflict` when others keep being first,
        `Unavailable` as `Log.append`.
        """
        step = StreamDecision(decider, stream, decide, expect, new, there)
        (outcome,) = await self.execute_together([step], act=act, on=on, secrets=secrets)
        return cast("Outcome[S | None]", outcome)

    async def execute_together(
        self,
        steps: Sequence[StreamDecision[Any, Any]],
        *,
        act: CommandMetadata,
        on: Sequence[Basis] = (),
        secrets: Sequence[VaultRow] = (),
    ) -> list[Outcome[Any]]:
        """Decide on several streams and write all that follows or nothing; each stream stands once in `steps`.

        `on` as in `execute`; a stream may stand in `steps` and in `on`. A step that decides nothing is a guard as well.
        """
        written = {step.stream for step in steps}
        others = {stream: decider for decider, stream in on if stream not in written}
        looked_at = [*steps, *(StreamDecision(decider, stream, _nothing) for stream, decider in others.items())]
        async with self._turns.on({step.stream for step in steps if not step.new}):
            for attempt in range(ATTEMPTS):
                began = self._streams.log_number
                fresh = attempt > 0 or not all(step.stream in self._streams for step in looked_at)
                before = [
                    KnownStream(step.decider.name, act.community)
                    if step.new and not attempt
                    else await self._streams.current(step.decider, step.stream, act.community, fresh=fresh)
                    for step in looked_at
                ]
                conflict, forgiven = first_broken(looked_at, before)
                known_as = {step.stream: known for step, known in zip(looked_at, before, strict=True)}
                bases = [known_as[stream].state for _, stream in on]
                try:
                    decided = [step.decided(known_as[step.stream], bases, act.actor) for step in steps]
                except Problem:
                    if not fresh:  # refused on what memory says, which may be old: read the streams and decide again
                        continue
                    if conflict:
                        raise conflict from None
                    raise
                if not fresh and (conflict or not any(decided)):  # so does what would be answered without a write
                    continue
                if conflict and (any(decided) or not forgiven):
                    raise conflict
                if not any(decided):  # a repetition: it is done already, and the answer is the stream as it is
                    return [outcome_of(known) for known in before[: len(steps)]]
                decided += [[]] * (len(looked_at) - len(steps))
                try:
                    return (await self._append(looked_at, before, decided, act, secrets, began))[: len(steps)]
                except ClaimTaken as taken:
                    if fresh:  # else it may be wanted by what is not the case any more
                        claim = taken.claim
                        detail = f"Another has this {claim.scope} already. Choose another."
                        raise Taken(detail, pointer=claim.pointer) from None
                except VersionConflict:
                    # Somebody else's turn; a random pause lets one of two that keep meeting go first.
                    await asyncio.sleep(random.random() * 0.001 * 2**attempt)  # noqa: S311 - no secret
        raise Conflict("Others are changing this at the same moment. Try again.", retry_after=1)

    async def _append(
        self,
        steps: Sequence[StreamDecision[Any, Any]],
        before: Sequence[KnownStream],
        decided: Sequence[list[Event]],
        act: CommandMetadata,
        secrets: Sequence[VaultRow],
        began: int,
    ) -> list[Outcome[Any]]:
        facts = [
            _facts(act, step.stream, known.version, events)
            for step, known, events in zip(steps, before, decided, strict=True)
        ]
        # Folded before they are written: what cannot be folded is not, and the words that they leave behind are known.
        after = [
            known.then(step.decider, new, act.community, known.position)
            for step, known, new in zip(steps, before, facts, strict=True)
        ]
        writes = tuple(
            Write(step.stream, known.version, tuple(map(_new_event, new)))
            for step, known, new in zip(steps, before, facts, strict=True)
            if new
        )
        guards = tuple(
            Guard(step.stream, known.version)
            for step, known, new in zip(steps, before, facts, strict=True)
            if not new and not step.new
        )
        deciders = [step.decider for step in steps]
        superseded, again = moved_words(
            deciders, [known.state for known in before], [known.state for known in after], secrets
        )
        taken, released = moved_claims(
            (step.stream, step.decider, known.state, then.state)
            for step, known, then in zip(steps, before, after, strict=True)
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
                    tuple(frozenset().union(*superseded)),
                    tuple(again),
                    act.key,
                    taken,
                    released,
                )
                positions = iter(await self.log.append(request))
        except BaseException:
            # Refused, lost or cancelled: whatever the stream holds now, it may not be what we believed.
            for step in steps:
                self._streams.forget(step.stream)
            raise
        outcomes = []
        for step, known, events, left in zip(steps, after, decided, superseded, strict=True):
            for _ in events:
                known.position = next(positions)
            self._streams.remember(step.stream, known, began)
            outcomes.append(outcome_of(known, tuple(events), left))
        return outcomes


def _nothing(*_: Any) -> list[Event]:
    return []


def _facts(act: CommandMetadata, stream: UUID, version: int, events: Sequence[E]) -> list[Fact[E]]:
    """What was decided, as it will stand in the log; the ids are new, or follow from what caused it."""
    at, cause = act.occurred_at.astimezone(UTC), act.causation
    return [
        Fact(
            event,
            at,
            number,
            act.actor,
            act.imported_by,
            uuid7() if cause is None else derived_id("caused", cause, stream, number),
        )
        for number, event in enumerate(events, version + 1)
    ]


def _new_event(fact: Fact[Any]) -> NewEvent:
    data = encode_data(fact.event)
    if len(data) > LARGEST_EVENT:
        raise TooLarge(f"This makes an event of {len(data)} bytes; at most {LARGEST_EVENT} can be written.")
    return NewEvent(fact.id, wire_name(type(fact.event)), data)
