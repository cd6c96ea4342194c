"""What a backfill may bring in: the reactions to what was brought into the content service before.

A vote of a system that does not tell who voted has no subject; it is nobody's, and its stream follows from its source.
What was deleted since may be reacted to at a time when it stood.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StrictBool, ValidationInfo

from services.engagement.events import ReactionAdded
from services.engagement.reactions.domain import REACTION, Reaction, react, reaction_id
from services.engagement.reactions.kinds import IMPORTED, SIGNS
from services.engagement.target_lookup import BACKFILL_LATENCY, BACKFILL_PATIENCE, target_lookup
from shared.backfill.command import BackfillCommand, Line, LineContext, Source
from shared.backfill.ornaments import leave_out
from shared.commands import Outcome
from shared.errors import Invalid


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
    return reaction_id(context.id(line.target_kind, line.target), context.member, line.kept_kind)


async def _react(context: LineContext, line: ReactionLine) -> Outcome[Reaction]:
    stream = _stream(context, line)
    if await context.happened(stream, ReactionAdded):
        return await context.load(REACTION, stream)  # even where it was withdrawn since
    target = await target_lookup(context.runtime).look_up(
        context.community.id,
        context.id(line.target_kind, line.target),
        latency=BACKFILL_LATENCY,
        patience=BACKFILL_PATIENCE,
    )
    then = target and target.as_of(context.act.occurred_at)
    return await context.execute(
        REACTION,
        stream,
        lambda state: react(state, stream, then, context.member, line.kept_kind, positive=line.positive),
    )


BACKFILL = (BackfillCommand("react", ReactionLine, _stream, _react),)
