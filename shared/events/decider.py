"""A decider is a pure pair: how facts make a state; decisions are functions from a state to new events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints
from uuid import UUID

from shared.events.claim import Claim
from shared.events.errors import NotFound
from shared.events.event import Event, Text, wire_name
from shared.events.fact import Fact

S = TypeVar("S")
E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Decider(Generic[S, E]):
    """The kind of a stream: its name in errors, and `evolve(state, fact)`, where the state is None before the first.

    `evolve` annotates its fact with the union of events that it handles, `Fact[Opened | Closed]`, so the decider knows
    what belongs to it.

    `words(state)` are the texts that stand in it. What an event leaves out of them was replaced or taken away, and the
    vault forgets it.

    `claims(state)` is what the stream holds and no other may hold beside it; taken and released as the state changes.
    """

    name: str
    evolve: Callable[[S | None, Fact[E]], S]
    words: Callable[[S], Iterable[Text | None]] = lambda _: ()
    claims: Callable[[S], Iterable[Claim]] = lambda _: ()
    types: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", frozenset(wire_name(kind) for kind in facts_of(self.evolve)))

    def existing(self, state: S | None) -> S:
        """The state of what is there. Raises `NotFound` where there is none."""
        if state is None:
            raise NotFound(f"There is no such {self.name}.")
        return state

    def word_refs(self, state: S | None) -> frozenset[UUID]:
        """The references of the words that the state still holds."""
        if state is None:
            return frozenset()
        return frozenset(text.ref for text in self.words(state) if text is not None)

    def claimed(self, state: S | None) -> frozenset[Claim]:
        """What the stream holds with that state."""
        return frozenset() if state is None else frozenset(self.claims(state))

    def fold(self, facts: Iterable[Fact[E]], state: S | None = None) -> S | None:
        """The state after those facts, from `state` on or from the beginning."""
        for fact in facts:
            state = self.evolve(state, fact)
        return state


def facts_of(evolve: Any) -> tuple[type[Event], ...]:
    """The event classes of the facts that a function takes as its last parameter."""
    hints = get_type_hints(evolve)
    hints.pop("return", None)
    handled = list(hints.values())[-1]
    if get_origin(handled) is not Fact:
        raise TypeError(f"{evolve.__qualname__}: its last parameter takes {handled}, which are no facts")
    (events,) = get_args(handled)
    return get_args(events) or (events,)


def begun(state: S | None) -> S:
    """The state to which a later event of a stream is added: what begins it came before."""
    assert state is not None, "the first event of a stream begins it"
    return state
