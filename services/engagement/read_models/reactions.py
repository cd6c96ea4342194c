"""The reactions to a target: those that stand, newest first, and how many there are of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from services.engagement.events import ReactionAdded, ReactionWithdrawn
from services.engagement.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, add, drop, put
from shared.projections.read_model_table import listing_index, read_model_table

reaction_list = read_model_table(
    "reaction_list",
    metadata,
    key=[sa.Column("community", UUID), sa.Column("reaction", UUID)],
    put=[
        sa.Column("target", UUID),
        sa.Column("actor", UUID),
        sa.Column("kind", sa.Text),
        sa.Column("positive", sa.Boolean),
        sa.Column("reacted_at", sa.DateTime(timezone=True)),
        sa.Column("imported_by", UUID),
    ],
    indexes=[
        listing_index("ix_reaction_list_target", "community", "target", "reacted_at", "reaction"),
        listing_index("ix_reaction_list_actor", "community", "target", "actor"),
    ],
)

reaction_count = read_model_table(
    "reaction_count",
    metadata,
    key=[sa.Column("community", UUID), sa.Column("target", UUID), sa.Column("kind", sa.Text)],
    add=["reactions"],
)

ReactionsEvent = ReactionAdded | ReactionWithdrawn


def fold(event: ReactionsEvent, record: Recorded) -> Iterator[Change]:
    row = (record.community, event.reaction_id)
    counted = (record.community, event.target_id, event.kind)
    match event:
        case ReactionAdded(target_id=target, actor_id=actor, kind=kind, positive=positive):
            at = record.occurred_at
            yield put(
                reaction_list,
                row,
                record.version,
                target=target,
                actor=actor,
                kind=kind,
                positive=positive,
                reacted_at=at,
                imported_by=record.imported_by,
            )
            yield add(reaction_count, counted, reactions=1)
        case ReactionWithdrawn():
            yield drop(reaction_list, row, record.version)
            yield add(reaction_count, counted, reactions=-1)
        case _:
            assert_never(event)


REACTIONS = ReadModel("reactions", (reaction_list, reaction_count), fold)
