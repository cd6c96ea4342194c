"""What a backfill may bring in: the reactions to what was brought into the content service before.

A vote of a system that does not tell who voted has no subject; it is nobody's, and its stream follows from its source.
What was deleted since may be reacted to at a time when it stood.
A member's reactions to one thing are of one sign, in whatever order their lines come: the later one stands. What they
gave and took back here is theirs: nothing later is brought in, and nothing that is brought in takes theirs away.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StrictBool, ValidationInfo

from services.engagement.events import ReactionAdded, ReactionWithdrawn
from services.engagement.reactions.domain import (
    REACTIONS,
    ReactionEvent,
    Reactions,
    bring_in,
    decided,
    reaction_id,
    reactions_id,
)
from services.engagement.reactions.kinds import IMPORTED, SIGNS
from services.engagement.target_lookup import BACKFILL_PATIENCE, target_lookup
from shared.commands.outcome import Outcome
from shared.events.errors import Invalid, Unavailable
from shared.web.backfill.command import BackfillCommand, Line, LineContext, Source
from shared.web.backfill.optional_parts import leave_out


def _known_kind(kind: Any, info: ValidationInfo) -> Any:
    """The kind, or None where nothing here is called so: the sign is what the reaction says."""
    if kind is None or (isinstance(kind, str) and kind in SIGNS):
        return kind
    leave_out(info, f"The kind is none of {', '.join(sorted(SIGNS))}; it goes by its sign.")
    return None


class ReactionLine(Line):
    """`subject` reacted then, or somebody unknown did."""

    command: Literal["react"]
    target: Source = Field(description="The own `source` of what it is about.")
    target_kind: Literal["thread", "reply", "comment"]
    kind: Annotated[str | None, BeforeValidator(_known_kind)] = Field(
        None,
        description="One of the kinds of reactions. A vote (`up` or `down`), or a kind that is not known here, goes by "
        "its sign.",
    )
    positive: StrictBool

    @property
    def kept_kind(self) -> str:
        """The kind as it is kept: a vote is called by its sign."""
        if self.kind is None or self.kind in IMPORTED:
            return "up" if self.positive else "down"
        return self.kind


def _stream(context: LineContext, line: ReactionLine) -> UUID:
    if SIGNS.get(line.kept_kind) is not line.positive:
        raise Invalid(f"`{line.kind}` has the other sign.", pointer="/positive")
    if context.member is None:
        return context.id("reaction", line.source)
    return reactions_id(context.id(line.target_kind, line.target), context.member)


async def _react(context: LineContext, line: ReactionLine) -> Outcome[Reactions | None]:
    stream, kind, member, at = _stream(context, line), line.kept_kind, context.member, context.act.occurred_at
    target_id = context.id(line.target_kind, line.target)
    known = await context.load(REACTIONS, stream)
    theirs = context.theirs(known)
    if theirs and decided(known.state, kind, at):
        return known  # even where it was withdrawn since, or what it is about is gone
    targets = target_lookup(context.runtime)
    target = await targets.look_up(context.community.id, target_id, caller=None, patience=BACKFILL_PATIENCE)
    then = target and target.as_of(at)
    reaction = stream if member is None else reaction_id(target_id, member, kind)
    if not theirs:
        # Whoever reacted here, all are told the same of what takes no reactions.
        bring_in(None, reaction, then, member, kind, positive=line.positive, at=at)
        if decided(known.state, kind, at):
            return known
    mine_at = known.state.here_at if known.state else None
    if mine_at is not None and at > mine_at and context.stays(known, ReactionAdded, ReactionWithdrawn):
        return known

    def decide(state: Reactions | None) -> list[ReactionEvent]:
        if state != known.state and not decided(state, kind, at):
            raise Unavailable("Their reactions change at the same moment. Send this again.", retry_after=1)
        return bring_in(state, reaction, then, member, kind, positive=line.positive, at=at)

    return await context.execute(REACTIONS, stream, decide)


BACKFILL = (BackfillCommand("react", ReactionLine, _stream, _react),)
