"""Which claims a command takes, and which it releases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from shared.events.claim import Claim
from shared.events.decider import Decider

Held = tuple[tuple[UUID, Claim], ...]
"""Claims, each with the stream that holds it."""


def moved_claims(streams: Iterable[tuple[UUID, Decider[Any, Any], Any, Any]]) -> tuple[Held, Held]:
    """What is taken and what is released where each stream comes from one state to another."""
    taken: set[tuple[UUID, Claim]] = set()
    released: set[tuple[UUID, Claim]] = set()
    for stream, decider, before, after in streams:
        held, holds = decider.claimed(before), decider.claimed(after)
        taken |= {(stream, claim) for claim in holds - held}
        released |= {(stream, claim) for claim in held - holds}
    return tuple(sorted(taken)), tuple(sorted(released))
