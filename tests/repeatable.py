"""What every service promises of its commands: what one did once, it does not do again, and memory is as the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from shared.events.catalogue import Catalogue
from shared.events.decider import Decider, facts_of
from shared.events.errors import Problem
from shared.events.event import Event, encode_data, wire_name
from shared.events.fact import Fact
from tests.given import NOON

Command = Callable[[Any], list[Any]]
ACTOR = UUID(int=0xAC)


def begins(event: Event, refuse: Callable[..., object] = lambda: None, *on: Any) -> Command:
    """The command that creates, as the kernel carries it out where nobody else has the key."""

    def decide(state: Any) -> list[Event]:
        if state is not None:
            return []
        refuse(*on)
        return [event]

    return decide


def assert_repeatable(decider: Decider[Any, Any], commands: list[Command]) -> None:
    """Carry the commands out one after another; each that is not refused, at once a second time.

    The state that is folded from what was decided is at each step the one that is folded from what the log has of it.
    """
    catalogue, kept, read, at, version = Catalogue(facts_of(decider.evolve)), None, None, NOON, 0
    for command in commands:
        try:
            events = command(kept)
        except Problem:
            continue
        at += timedelta(minutes=1)
        facts = [Fact(event, at, n, ACTOR, None, UUID(int=n)) for n, event in enumerate(events, version + 1)]
        version += len(facts)
        kept = decider.fold(facts, kept)
        read = decider.fold((_from_the_log(fact, catalogue) for fact in facts), read)
        assert kept == read
        assert command(kept) == []


def _from_the_log(fact: Fact[Any], catalogue: Catalogue) -> Fact[Any]:
    data = encode_data(fact.event)
    return msgspec.structs.replace(fact, event=catalogue.decode(wire_name(type(fact.event)), data))
