"""Who responded to whom, by quarter of an hour and kind: the facts that influence is computed from.

A response to oneself, or to work that is nobody's, is no fact. An unknown sender is the id of all zeros, so that it
can stand in the key. What is withdrawn is not taken out of the past: it is a fact of its own that cancels the response
from the moment of its withdrawal on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, assert_never
from uuid import UUID

import sqlalchemy as sa

from services.projection.days import slot_of, utc_day_of
from services.projection.subscriptions import (
    AcceptanceWithdrawn,
    AnswerAccepted,
    CommentPosted,
    ReactionAdded,
    ReactionWithdrawn,
    ReplyPosted,
    TargetShared,
)
from services.projection.tables import metadata
from shared.event import Recorded
from shared.views.view import Change, View, add, view_table

UNKNOWN = UUID(int=0)
"""Stands in a key for a sender nobody knows."""


def _fact() -> list[sa.Column[object]]:
    return [
        sa.Column("slot", sa.Integer),
        sa.Column("receiver", sa.Uuid),
        sa.Column("sender", sa.Uuid),
        sa.Column("kind", sa.Text),
    ]


RESPONSE = view_table("response", metadata, key=[sa.Column("community", sa.Uuid), *_fact()], add=["n"])
RESPONSE_WITHDRAWAL = view_table(
    "response_withdrawal",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("withdrawn_slot", sa.Integer), *_fact()],
    add=["n"],
)
RESPONSE_CHANGE = view_table(
    "response_change",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("day", sa.Integer)],
    add=["n"],
)
"""How often the facts of a day of UTC changed; a withdrawal is a fact of the day it was made on."""

ResponseEvent = (
    ReplyPosted
    | CommentPosted
    | AnswerAccepted
    | AcceptanceWithdrawn
    | ReactionAdded
    | ReactionWithdrawn
    | TargetShared
)


class Response(NamedTuple):
    """`receiver` is whose work was responded to. `made_at` is set where this withdraws a response made then."""

    kind: str
    sender: UUID | None
    receiver: UUID | None
    made_at: datetime | None = None


def response_of(event: ResponseEvent) -> Response:
    """The response that an event makes or withdraws; its kind is one of a scoring policy's."""
    match event:
        case ReplyPosted(author_id=sender, thread_author_id=receiver):
            return Response("reply", sender, receiver)
        case CommentPosted(author_id=sender, target_author_id=receiver):
            return Response("comment", sender, receiver)
        case AnswerAccepted(accepted_by_id=sender, answer_author_id=receiver):
            return Response("acceptance", sender, receiver)
        case AcceptanceWithdrawn(accepted_by_id=sender, answer_author_id=receiver, accepted_at=at):
            return Response("acceptance", sender, receiver, at)
        case ReactionAdded(actor_id=sender, target_author_id=receiver, positive=positive):
            return Response("positive_reaction" if positive else "negative_reaction", sender, receiver)
        case ReactionWithdrawn(actor_id=sender, target_author_id=receiver, positive=positive, reacted_at=at):
            return Response("positive_reaction" if positive else "negative_reaction", sender, receiver, at)
        case TargetShared(member_id=sender, target_author_id=receiver):
            return Response("share", sender, receiver)
        case _:
            assert_never(event)


def fold(event: ResponseEvent, record: Recorded) -> Iterator[Change]:
    kind, sender, receiver, made_at = response_of(event)
    if receiver is None or sender == receiver:
        return
    community, now = record.community, slot_of(record.occurred_at)
    fact = (receiver, sender or UNKNOWN, kind)
    if made_at is None:
        yield add(RESPONSE, (community, now, *fact), n=1)
    else:
        made = slot_of(made_at)
        # Nothing is taken back before it was given, whatever the clocks say.
        now = max(now, made)
        yield add(RESPONSE_WITHDRAWAL, (community, now, made, *fact), n=1)
    yield add(RESPONSE_CHANGE, (community, utc_day_of(now)), n=1)


RESPONSES = View("responses", (RESPONSE, RESPONSE_WITHDRAWAL, RESPONSE_CHANGE), fold)
