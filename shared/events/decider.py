"""A decider is a pure pair: how events make a state; decisions are functions from a state to new events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar, get_type_hints
from uuid import UUID

from shared.events.event import Event, Text, events_of, wire_name

S = TypeVar("S")
E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Decider(Generic[S, E]):
    """The kind of a stream: its name in errors, its state before the first event, and `evolve(state, event)`.

    `evolve` annotates its event parameter with the union it handles, so the decider knows what belongs to it. Where the
    state holds times, it is `evolve(state, event, at)`, given when each event happened.

    `words(state)` are the texts that stand in it. What an event leaves out of them was replaced or taken away, and the
    vault forgets it.
    """

    name: str
    initial: S
    evolve: Callable[[S, E], S] | Callable[[S, E, datetime], S]
    words: Callable[[S], Iterable[Text | None]] = lambda _: ()
    types: frozenset[str] = field(init=False)
    dated: bool = field(init=False)

    def __post_init__(self) -> None:
        _, event, *at = (name for name in get_type_hints(self.evolve) if name != "return")
        names = frozenset(wire_name(kind) for kind in events_of(self.evolve, event))
        object.__setattr__(self, "types", names)
        object.__setattr__(self, "dated", bool(at))

    def word_refs(self, state: S) -> frozenset[UUID]:
        """The references of the words that the state still holds."""
        return frozenset(text.ref for text in self.words(state) if text is not None)

    def fold(self, events: Iterable[E], state: S | None = None, times: Iterable[datetime] = ()) -> S:
        """The state after those events, from `state` on or from the beginning; `times` are needed if it is dated."""
        evolve: Callable[..., S] = self.evolve
        current = self.initial if state is None else state
        if self.dated:
            for event, at in zip(events, times, strict=True):
                current = evolve(current, event, at)
        else:
            for event in events:
                current = evolve(current, event)
        return current
