"""What members did, by quarter of an hour: how often each kind of action, who acted, and who for the first time.

An action by nobody we know (an imported vote, an anonymous suggestion) happened, so it is counted by kind; nobody
becomes active by it. Withdrawing, editing and deleting are no actions, and undo none. What is given again counts once
on a day: a fold does not know the days of the community, so it notes both times, and whoever reads takes away what fell
on one day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, assert_never, get_args
from uuid import UUID

import sqlalchemy as sa

from services.projection.days import slot_of, utc_day_of
from services.projection.read_models.imports import origin, origin_of
from services.projection.subscriptions import (
    AnswerAccepted,
    CommentPosted,
    ReactionAdded,
    ReplyPosted,
    SuggestionSubmitted,
    SuggestionVoted,
    TargetShared,
    ThreadOpened,
)
from services.projection.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, add, include, micros, put
from shared.projections.read_model_table import read_model_table

ActionKind = Literal["thread", "reply", "comment", "acceptance", "reaction", "share", "suggestion", "vote"]
"""The kinds of actions, in the order in which they are shown. A new one is the last."""
ACTION_KINDS: tuple[ActionKind, ...] = get_args(ActionKind)

ACTION_COUNT = read_model_table(
    "action_count",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("slot", sa.Integer), sa.Column("kind", sa.Text), *origin()],
    add=["n"],
)
ACTION_REPEAT = read_model_table(
    "action_repeat",
    metadata,
    key=[
        sa.Column("community", sa.Uuid),
        sa.Column("slot", sa.Integer),
        sa.Column("former_slot", sa.Integer),
        sa.Column("kind", sa.Text),
        *origin(),
    ],
    add=["n"],
)
"""Those among them that gave again what was given at `former_slot` and taken back since."""
ACTIVE_MEMBERS = read_model_table(
    "active_members",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("slot", sa.Integer), *origin()],
    include=["members"],
)
FIRST_ACTION = read_model_table(
    "first_action",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("member", sa.Uuid), *origin()],
    put=[sa.Column("slot", sa.Integer)],
    indexes=[sa.Index("ix_first_action_slot", "community", "slot")],
)
ACTION_CHANGE = read_model_table(
    "action_change",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("day", sa.Integer)],
    add=["n"],
)
"""How often the facts of a day of UTC changed: a reader keeps what it made of them until this moves."""

ActionEvent = (
    ThreadOpened
    | ReplyPosted
    | CommentPosted
    | AnswerAccepted
    | ReactionAdded
    | TargetShared
    | SuggestionSubmitted
    | SuggestionVoted
)


def action_of(event: ActionEvent) -> tuple[ActionKind, UUID | None]:
    """The kind of action an event is, and who acted. Being accepted is the action of the one who accepts."""
    match event:
        case ThreadOpened(author_id=who):
            return "thread", who
        case ReplyPosted(author_id=who):
            return "reply", who
        case CommentPosted(author_id=who):
            return "comment", who
        case AnswerAccepted(accepted_by_id=who):
            return "acceptance", who
        case ReactionAdded(actor_id=who):
            return "reaction", who
        case TargetShared(member_id=who):
            return "share", who
        case SuggestionSubmitted(author_id=who):
            return "suggestion", who
        case SuggestionVoted(voter_id=who):
            return "vote", who
        case _:
            assert_never(event)


def fold(event: ActionEvent, record: Recorded) -> Iterator[Change]:
    kind, who = action_of(event)
    community, slot, by = record.community, slot_of(record.occurred_at), origin_of(record)
    yield add(ACTION_COUNT, (community, slot, kind, *by), n=1)
    match event:
        case (
            AnswerAccepted(given_before=datetime() as before)
            | ReactionAdded(given_before=datetime() as before)
            | SuggestionVoted(given_before=datetime() as before)
        ):
            yield add(ACTION_REPEAT, (community, slot, slot_of(before), kind, *by), n=1)
        case _:
            pass
    yield add(ACTION_CHANGE, (community, utc_day_of(slot)), n=1)
    if who is not None:
        yield include(ACTIVE_MEMBERS, (community, slot, *by), "members", who)
        # The earliest action wins, because its version is the greatest.
        yield put(FIRST_ACTION, (community, who, *by), -micros(record.occurred_at), slot=slot)


ACTIONS = ReadModel("actions", (ACTION_COUNT, ACTION_REPEAT, ACTIVE_MEMBERS, FIRST_ACTION, ACTION_CHANGE), fold)
