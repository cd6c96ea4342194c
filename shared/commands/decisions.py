"""What a command decides on one stream: whatever it is (`StreamDecision`), to create it, or to change what is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from shared.commands.known_streams import KnownStream
from shared.commands.preconditions import Precondition
from shared.events.decider import Decider
from shared.events.errors import KeyReused
from shared.events.event import Event

S = TypeVar("S")
E = TypeVar("E", bound=Event)

Basis = tuple[Decider[Any, Any], UUID]
"""A stream that a decision rests on without writing to it: a role of who acts, the suggestion that is voted on."""


@dataclass(frozen=True, slots=True)
class StreamDecision(Generic[S, E]):
    """One stream's part in a command. `decide` is given its state, None before it has begun, and those of the bases."""

    decider: Decider[S, E]
    stream: UUID
    decide: Callable[..., list[E]]
    expect: Precondition | int | None = None
    """What is asked of the stream as it is; a number stands for that version."""
    new: bool = False
    """Its id was made just now, so nobody can have written to it: it is decided on without a look."""
    there: Callable[[S], bool] | None = None
    """Whether what the command is about exists, where that is more than that the stream has begun."""
    creates: E | None = None
    """The event with which the stream is to begin; then `decide` is given the bases alone, and only refuses."""

    def decided(self, known: KnownStream, bases: Sequence[Any], actor: UUID | None) -> list[E]:
        """The events that follow, for the stream as it is known."""
        if self.creates is None:
            return self.decide(known.state, *bases)
        if known.began is None:
            self.decide(*bases)
            return [self.creates]
        if (known.began.event, known.began.actor) != (self.creates, actor):
            raise KeyReused(self.decider.name)
        return []


def creation(
    decider: Decider[S, E], stream: UUID, event: E, refuse: Callable[..., object] | None = None
) -> StreamDecision[S, E]:
    """Begin a stream with that event. `refuse`, given the states of the bases, raises what forbids it.

    Where the stream began with an equal event by the same actor, that was this very command, whatever has become of the
    stream and of its bases: nothing is written. Raises `KeyReused` where it began with another.
    """

    def decide(*bases: Any) -> list[E]:
        if refuse is not None:
            refuse(*bases)
        return []

    return StreamDecision(decider, stream, decide, creates=event)


def change(decider: Decider[S, E], decide: Callable[..., list[E]]) -> Callable[..., list[E]]:
    """The decision on what is there. Raises `NotFound` where the stream has not begun."""
    return lambda state, *bases: decide(decider.existing(state), *bases)
