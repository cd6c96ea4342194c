"""What members did, by quarter of an hour: how often each kind of action, who acted, and who for the first time.

An action by nobody we know (an imported vote, an anonymous suggestion) happened, so it is counted by kind; nobody
becomes active by it. Withdrawing, editing and deleting are no actions, and undo none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never
from uuid import UUID

import sqlalchemy as sa

from services.projection.days import slot_of, utc_day_of
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
from shared.event import Recorded
from shared.views.view import Change, View, add, include, micros, put, view_table

ACTION_KINDS = ("thread", "reply", "comment", "acceptance", "reaction", "share", "suggestion", "vote")
"""The kinds of actions, in the order in which they are shown."""

ACTION_COUNT = view_table(
    "action_count",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("slot", sa.Integer), sa.Column("kind", sa.Text)],
    add=["n"],
)
ACTIVE_MEMBERS = view_table(
    "active_members",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("slot", sa.Integer)],
    include=["members"],
)
FIRST_ACTION = view_table(
    "first_action",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("member", sa.Uuid)],
    put=[sa.Column("slot", sa.Integer)],
    indexes=[sa.Index("ix_first_action_slot", "community", "slot")],
)
ACTION_CHANGE = view_table(
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


def action_of(event: ActionEvent) -> tuple[str, UUID | None]:
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
    community, slot = record.community, slot_of(record.occurred_at)
    yield add(ACTION_COUNT, (community, slot, kind), n=1)
    yield add(ACTION_CHANGE, (community, utc_day_of(slot)), n=1)
    if who is not None:
        yield include(ACTIVE_MEMBERS, (community, slot), "members", who)
        # The earliest action wins, because its version is the greatest.
        yield put(FIRST_ACTION, (community, who), -micros(record.occurred_at), slot=slot)


ACTIONS = View("actions", (ACTION_COUNT, ACTIVE_MEMBERS, FIRST_ACTION, ACTION_CHANGE), fold)
