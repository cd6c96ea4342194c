"""States as tests give them: folded from events that somebody did at noon, or at other times."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from shared.events.decider import Decider
from shared.events.event import Event
from shared.events.fact import Fact

S = TypeVar("S")
E = TypeVar("E", bound=Event)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def facts(
    events: Iterable[E], at: datetime = NOON, *, actor: UUID | None = None, imported_by: UUID | None = None
) -> list[Fact[E]]:
    """The facts that these events are, in their order."""
    return [Fact(event, at, version, actor, imported_by, UUID(int=version)) for version, event in enumerate(events, 1)]


def folded(
    decider: Decider[S, E], events: Iterable[Any], state: S | None = None, at: datetime = NOON, **by: UUID | None
) -> S:
    """The state after those events; None, whatever the type says, where there are none."""
    return cast("S", decider.fold(facts(events, at, **by), state))
