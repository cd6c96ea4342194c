"""A stream that a decision rests on and writes nothing to: it is read in the turn of the command, not before."""

from __future__ import annotations

from typing import Any, Generic, TypeVar
from uuid import UUID

from shared.commands import Step
from shared.decider import Decider

S = TypeVar("S")


class Look(Generic[S]):
    """Let `step` stand before the steps whose decisions read `state`."""

    def __init__(self, decider: Decider[S, Any], stream: UUID) -> None:
        self.state: S = decider.initial
        self.step: Step[S, Any] = Step(decider, stream, self._see)

    def _see(self, state: S) -> list[Any]:
        self.state = state
        return []
