"""A decider is a pure pair: how events make a state; decisions are functions from a state to new events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shared.event import Event, events_of, wire_name

S = TypeVar("S")
E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Decider(Generic[S, E]):
    """The kind of a stream: its name in errors, its state before the first event, and `evolve(state, event)`.

    `evolve` annotates its event parameter with the union it handles, so the decider knows what belongs to it.
    """

    name: str
    initial: S
    evolve: Callable[[S, E], S]
    types: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        names = frozenset(wire_name(event) for event in events_of(self.evolve))
        object.__setattr__(self, "types", names)

    def fold(self, events: Iterable[E], state: S | None = None) -> S:
        """The state after those events, from `state` on or from the beginning."""
        current = self.initial if state is None else state
        for event in events:
            current = self.evolve(current, event)
        return current
