"""Who responded to whom, by quarter of an hour, kind and post: the facts that influence is computed from.

A response to oneself, or to work that is nobody's, is no fact. An unknown sender is the id of all zeros, so that it
can stand in the key. What is withdrawn is not taken out of the past: it is a fact of its own that cancels the response
from the moment of its withdrawal on.

Who brought a response in, if anybody, stands in its key, so that it can be left out. A withdrawal has who brought the
withdrawal in; whoever reads finds the response that it takes back.

A post is a thread, reply or comment. A response stands while its post does (the reply or comment that it is, or what
it was given to), and a post while what it was written on does. A fold knows neither what stands below a post nor
whether one was deleted before, so that it notes both, and whoever reads puts them together.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, assert_never
from uuid import UUID

import sqlalchemy as sa

from services.projection.days import slot_of, utc_day_of
from services.projection.read_models.imports import origin, origin_of
from services.projection.subscriptions import (
    AcceptanceWithdrawn,
    AnswerAccepted,
    CommentDeleted,
    CommentPosted,
    ReactionAdded,
    ReactionWithdrawn,
    ReplyDeleted,
    ReplyPosted,
    TargetShared,
    ThreadDeleted,
)
from services.projection.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, add, micros, put
from shared.projections.read_model_table import read_model_table

UNKNOWN = UUID(int=0)
"""Stands in a key for a sender nobody knows."""


def _fact() -> list[sa.Column[object]]:
    return [
        sa.Column("slot", sa.Integer),
        sa.Column("receiver", sa.Uuid),
        sa.Column("sender", sa.Uuid),
        sa.Column("kind", sa.Text),
        sa.Column("post", sa.Uuid),
        *origin(),
    ]


RESPONSE = read_model_table(
    "response",
    metadata,
    key=[sa.Column("community", sa.Uuid), *_fact()],
    add=["n"],
    indexes=[sa.Index("ix_response_post", "community", "post")],
)
RESPONSE_WITHDRAWAL = read_model_table(
    "response_withdrawal",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("withdrawn_slot", sa.Integer), *_fact()],
    add=["n"],
    indexes=[sa.Index("ix_response_withdrawal_post", "community", "post")],
)
POST_PARENT = read_model_table(
    "post_parent",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("parent", sa.Uuid), sa.Column("post", sa.Uuid)],
    add=["n"],
)
"""Replies and comments by what they were written on."""
POST_DELETION = read_model_table(
    "post_deletion",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("post", sa.Uuid)],
    put=[sa.Column("slot", sa.Integer)],
)
RESPONSE_CHANGE = read_model_table(
    "response_change",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("day", sa.Integer)],
    add=["n"],
)
"""How often what is kept of a day of UTC changed: responses made, withdrawn, posts written and deleted on it."""

MadeEvent = (
    ReplyPosted
    | CommentPosted
    | AnswerAccepted
    | AcceptanceWithdrawn
    | ReactionAdded
    | ReactionWithdrawn
    | TargetShared
)
ResponseEvent = MadeEvent | ThreadDeleted | ReplyDeleted | CommentDeleted


class Response(NamedTuple):
    """`receiver` is whose work was responded to. `made_at` is set where this withdraws a response made then."""

    kind: str
    sender: UUID | None
    receiver: UUID | None
    post: UUID
    made_at: datetime | None = None


def response_of(event: MadeEvent) -> Response | None:
    """The response that an event makes or withdraws; its kind is one of a scoring policy's.

    Several reactions of one sign are one response: it begins with the first and ends with the last.
    """
    match event:
        case ReplyPosted(author_id=sender, thread_author_id=receiver, reply_id=post):
            return Response("reply", sender, receiver, post)
        case CommentPosted(author_id=sender, target_author_id=receiver, comment_id=post):
            return Response("comment", sender, receiver, post)
        case AnswerAccepted(accepted_by_id=sender, answer_author_id=receiver, reply_id=post):
            return Response("acceptance", sender, receiver, post)
        case AcceptanceWithdrawn(accepted_by_id=sender, answer_author_id=receiver, reply_id=post, accepted_at=at):
            return Response("acceptance", sender, receiver, post, at)
        case ReactionAdded(begins_response=False) | ReactionWithdrawn(ends_response=False):
            return None
        case ReactionAdded(actor_id=sender, target_author_id=receiver, target_id=post):
            return Response(_sign(event), sender, receiver, post)
        case ReactionWithdrawn(actor_id=sender, target_author_id=receiver, target_id=post):
            return Response(_sign(event), sender, receiver, post, event.response_since or event.reacted_at)
        case TargetShared(member_id=sender, target_author_id=receiver, target_id=post):
            return Response("share", sender, receiver, post)
        case _:
            assert_never(event)


def _sign(reaction: ReactionAdded | ReactionWithdrawn) -> str:
    return "positive_reaction" if reaction.positive else "negative_reaction"


def fold(event: ResponseEvent, record: Recorded) -> Iterator[Change]:
    community, now = record.community, slot_of(record.occurred_at)
    match event:
        case ThreadDeleted(thread_id=post) | ReplyDeleted(reply_id=post) | CommentDeleted(comment_id=post):
            # The earliest deletion wins, because its version is the greatest.
            yield put(POST_DELETION, (community, post), -micros(record.occurred_at), slot=now)
            yield add(RESPONSE_CHANGE, (community, utc_day_of(now)), n=1)
            return
        case ReplyPosted(thread_id=parent, reply_id=post) | CommentPosted(target_id=parent, comment_id=post):
            yield add(POST_PARENT, (community, parent, post), n=1)
        case _:
            pass
    response = response_of(event)
    if response is not None and response.receiver is not None and response.sender != response.receiver:
        fact = (response.receiver, response.sender or UNKNOWN, response.kind, response.post, *origin_of(record))
        if response.made_at is None:
            yield add(RESPONSE, (community, now, *fact), n=1)
        else:
            made = slot_of(response.made_at)
            # Nothing is taken back before it was given, whatever the clocks say.
            now = max(now, made)
            yield add(RESPONSE_WITHDRAWAL, (community, now, made, *fact), n=1)
    elif not isinstance(event, ReplyPosted | CommentPosted):
        return
    yield add(RESPONSE_CHANGE, (community, utc_day_of(now)), n=1)


RESPONSES = ReadModel("responses", (RESPONSE, RESPONSE_WITHDRAWAL, POST_PARENT, POST_DELETION, RESPONSE_CHANGE), fold)
