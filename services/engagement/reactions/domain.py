"""A member's reactions to one thing are all of one sign, and one response while any of them stands.

They are one stream, so that giving the other sign takes what stands away in the same append. Of each kind one stands at
most. A reaction that nobody is known to have given is a stream of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, assert_never
from uuid import UUID

from services.engagement.events import ReactionAdded, ReactionWithdrawn
from services.engagement.targets import Target, engageable
from shared.events.decider import Decider
from shared.events.fact import Fact
from shared.events.identity import derived_id

ReactionEvent = ReactionAdded | ReactionWithdrawn


class Given(NamedTuple):
    """A reaction that stands, and when it was given."""

    added: ReactionAdded
    at: datetime


@dataclass(frozen=True, slots=True)
class Reactions:
    """What one member has given to one thing.

    `current` are the reactions there are, by kind; `since` is when the response that they make began, `ended` when the
    last one that is over did. `settled` is when each kind was given or taken back last, `given` when it was given last;
    `here_at` is when the member did any of it here, and nobody brought it in.
    """

    current: Mapping[str, Given] = field(default_factory=dict)
    since: datetime | None = None
    ended: datetime | None = None
    settled: Mapping[str, datetime] = field(default_factory=dict)
    given: Mapping[str, datetime] = field(default_factory=dict)
    here_at: datetime | None = None


NONE = Reactions()
"""Before the first."""


def evolve(state: Reactions | None, fact: Fact[ReactionEvent]) -> Reactions:
    event, at, state = fact.event, fact.at, state or NONE
    settled = {**state.settled, event.kind: max(state.settled.get(event.kind, at), at)}
    state = replace(state, settled=settled, here_at=at if fact.imported_by is None else state.here_at)
    match event:
        case ReactionAdded():
            current = {**state.current, event.kind: Given(event, at)}
            since = at if event.begins_response else state.since
            return replace(state, current=current, since=since, given={**state.given, event.kind: at})
        case ReactionWithdrawn():
            current = {kind: given for kind, given in state.current.items() if kind != event.kind}
            if not event.ends_response:
                return replace(state, current=current)
            ended = at if state.ended is None else max(state.ended, at)
            return replace(state, current=current, since=None, ended=ended)
        case _:
            assert_never(event)


REACTIONS: Decider[Reactions, ReactionEvent] = Decider("reaction", evolve)


def reactions_id(target_id: UUID, member_id: UUID) -> UUID:
    """The stream of a member's reactions to a target."""
    return derived_id("reactions", target_id, member_id)


def reaction_id(target_id: UUID, member_id: UUID, kind: str) -> UUID:
    """A member's reaction of a kind to a target."""
    return derived_id("reaction", target_id, member_id, kind)


def react(
    state: Reactions | None, reaction: UUID, target: Target | None, actor_id: UUID | None, kind: str, *, positive: bool
) -> list[ReactionEvent]:
    """Give a reaction to what stands; to one's own work, too (that earns nothing). Those of the other sign go."""
    state = state or NONE
    if kind in state.current:
        return []
    others = _of_sign(state, positive=not positive)
    begins = len(others) == len(state.current)
    before = state.given.get(kind)
    added = _added(reaction, target, actor_id, kind, positive, begins=begins, before=before)
    return [*_all_back(others, state.since), added]


def bring_in(
    state: Reactions | None,
    reaction: UUID,
    target: Target | None,
    actor_id: UUID | None,
    kind: str,
    *,
    positive: bool,
    at: datetime,
) -> list[ReactionEvent]:
    """As `react`, told after it happened `at`: what was decided on the same kind since then stays decided. Where the
    member gave any of it here themselves, it takes nothing away.

    What was given before the other sign was, or before what stood was taken back, happened and stands no more: no
    response reaches into the time of another.
    """
    state = state or NONE
    if decided(state, kind, at):
        return []
    later = [given.at for given in _of_sign(state, positive=not positive)]
    if all(at >= moment for moment in (*later, state.ended or at)) and not (state.here_at and later):
        return react(state, reaction, target, actor_id, kind, positive=positive)
    before = state.given.get(kind)
    added = _added(reaction, target, actor_id, kind, positive, begins=False, before=before)
    return [added, _back(Given(added, at), ends=False, since=None)]


def decided(state: Reactions | None, kind: str, at: datetime) -> bool:
    """Whether it is known what became of a reaction of that kind given `at`."""
    state = state or NONE
    return kind in state.current or (kind in state.settled and at <= state.settled[kind])


def withdraw(state: Reactions | None, kind: str) -> list[ReactionEvent]:
    """Take a reaction back, also from what was deleted since; the response ends with the last that stands."""
    if state is None or (given := state.current.get(kind)) is None:
        return []
    return [_back(given, ends=len(state.current) == 1, since=state.since)]


def _of_sign(state: Reactions, *, positive: bool) -> list[Given]:
    return [given for given in state.current.values() if given.added.positive is positive]


def _added(
    reaction: UUID,
    target: Target | None,
    actor_id: UUID | None,
    kind: str,
    positive: bool,
    *,
    begins: bool,
    before: datetime | None,
) -> ReactionAdded:
    to = engageable(target)
    return ReactionAdded(reaction, to.id, to.kind, to.author_id, actor_id, kind, positive, begins, before)


def _all_back(given: list[Given], since: datetime | None) -> list[ReactionEvent]:
    """All that stand are taken back, and the response ends with the last."""
    return [_back(one, ends=number == len(given), since=since) for number, one in enumerate(given, 1)]


def _back(given: Given, *, ends: bool, since: datetime | None) -> ReactionWithdrawn:
    was = given.added
    return ReactionWithdrawn(
        was.reaction_id,
        was.target_id,
        was.target_kind,
        was.target_author_id,
        was.actor_id,
        was.kind,
        was.positive,
        given.at,
        ends,
        since if ends else None,
    )
