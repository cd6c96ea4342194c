"""What every service promises of its commands: what one did once, it does not do again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.events.decider import Decider
from shared.events.errors import Problem

Command = Callable[[Any], list[Any]]


def assert_repeatable(decider: Decider[Any, Any], commands: list[Command]) -> None:
    """Carry the commands out one after another; each that is not refused, at once a second time."""
    state, at = decider.initial, datetime(2026, 3, 1, 12, tzinfo=UTC)
    for command in commands:
        try:
            events = command(state)
        except Problem:
            continue
        at += timedelta(minutes=1)
        state = decider.fold(events, state, [at] * len(events))
        assert command(state) == []
