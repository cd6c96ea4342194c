"""What every service promises of its commands: what one did once, it does not do again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.decider import Decider
from shared.errors import Problem

Command = Callable[[Any], list[Any]]


def assert_repeatable(decider: Decider[Any, Any], commands: list[Command]) -> None:
    """Carry the commands out one after another; each that is not refused, at once a second time."""
    state = decider.initial
    for command in commands:
        try:
            events = command(state)
        except Problem:
            continue
        state = decider.fold(events, state)
        assert command(state) == []
