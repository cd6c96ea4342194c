"""A member gives one reaction of a kind to a target, may take it back, and may give it again.

A reaction is its own stream, so that something with a million of them stays small.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never
from uuid import UUID

from services.engagement.events import ReactionAdded, ReactionWithdrawn
from services.engagement.targets import Target, standing
from shared.decider import Decider
from shared.errors import Conflict
from shared.history import Occasion
from shared.identity import derived_id

ReactionEvent = ReactionAdded | ReactionWithdrawn


@dataclass(frozen=True, slots=True)
class Reaction:
    """`added` is how it was given last, None before the first time; `times` counts how often it was given."""

    added: ReactionAdded | None = None
    stands: bool = False
    times: int = 0


def evolve(state: Reaction, event: ReactionEvent) -> Reaction:
    match event:
        case ReactionAdded():
            return Reaction(event, stands=True, times=state.times + 1)
        case ReactionWithdrawn():
            return replace(state, stands=False)
        case _:
            assert_never(event)


REACTION: Decider[Reaction, ReactionEvent] = Decider("reaction", Reaction(), evolve)


def reaction_id(target_id: UUID, member_id: UUID, kind: str) -> UUID:
    """The stream of a member's reaction of a kind to a target."""
    return derived_id("reaction", target_id, member_id, kind)


def react(
    state: Reaction, stream: UUID, target: Target | None, actor_id: UUID | None, kind: str, *, positive: bool
) -> list[ReactionEvent]:
    """Give a reaction to what stands; to one's own work, too (that earns nothing)."""
    if state.stands:
        return []
    to = standing(target)
    return [ReactionAdded(stream, to.id, to.kind, to.author_id, actor_id, kind, positive)]


def withdraw(state: Reaction, given: Occasion | None) -> list[ReactionEvent]:
    """Take back the reaction that was `given`, also from what was deleted since."""
    if not state.stands or state.added is None:
        return []
    if given is None or given.number != state.times:
        raise Conflict("The reaction was given again at the same moment. Try again.", retry_after=1)
    was = state.added
    return [
        ReactionWithdrawn(
            was.reaction_id,
            was.target_id,
            was.target_kind,
            was.target_author_id,
            was.actor_id,
            was.kind,
            was.positive,
            given.at,
        )
    ]
