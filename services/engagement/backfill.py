"""What a backfill may bring in: the reactions to what was brought into the content service before.

A vote of a system that does not tell who voted has no subject; it is nobody's, and its stream follows from its source.
A member's reactions to one thing are of one sign, in whatever order their lines come: the later one stands.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints

from services.engagement.reactions.domain import REACTIONS, Reactions, bring_in, decided, reaction_id, reactions_id
from services.engagement.reactions.kinds import IMPORTED, SIGNS
from services.engagement.target_lookup import BACKFILL_LATENCY, BACKFILL_PATIENCE, target_lookup
from shared.backfill.command import BackfillCommand, Line, LineContext, Source
from shared.commands import Outcome
from shared.errors import Invalid


class ReactionLine(Line):
    """`subject` reacted then, or somebody unknown did."""

    command: Literal["react"]
    target: Source = Field(description="The own `source` of what it is about.")
    target_kind: Literal["thread", "reply", "comment"]
    kind: Annotated[str, StringConstraints(pattern="^[a-z]{1,30}$")] = Field(
        description="One of the kinds of reactions, or `up` or `down` for a vote, which goes by its sign."
    )
    positive: StrictBool

    @property
    def kept_kind(self) -> str:
        """The kind as it is kept: a vote is called by its sign."""
        if self.kind in IMPORTED:
            return "up" if self.positive else "down"
        return self.kind


def _stream(context: LineContext, line: ReactionLine) -> UUID:
    if SIGNS.get(line.kept_kind) is not line.positive:
        raise Invalid(f"`kind` is one of {', '.join(sorted(SIGNS))}, with the sign it has.", pointer="/kind")
    if context.member is None:
        return context.id("reaction", line.source)
    return reactions_id(context.id(line.target_kind, line.target), context.member)


async def _react(context: LineContext, line: ReactionLine) -> Outcome[Reactions]:
    stream, kind, member, at = _stream(context, line), line.kept_kind, context.member, context.act.occurred_at
    target_id = context.id(line.target_kind, line.target)
    known = await context.load(REACTIONS, stream)
    if decided(known.state, kind, at):
        return known  # even where it was withdrawn since, or what it is about is gone
    target = await target_lookup(context.runtime).look_up(
        context.community.id, target_id, latency=BACKFILL_LATENCY, patience=BACKFILL_PATIENCE
    )
    reaction = stream if member is None else reaction_id(target_id, member, kind)
    return await context.execute(
        REACTIONS,
        stream,
        lambda state: bring_in(state, reaction, target, member, kind, positive=line.positive, at=at),
    )


BACKFILL = (BackfillCommand("react", ReactionLine, _stream, _react),)
