"""The suggestion board: every suggestion with its state, its answer and the number of its votes."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from services.feedback.events import (
    SuggestionAnswered,
    SuggestionCompleted,
    SuggestionDeclined,
    SuggestionDeleted,
    SuggestionEdited,
    SuggestionPlanned,
    SuggestionSubmitted,
    SuggestionVoted,
    SuggestionVoteWithdrawn,
)
from services.feedback.tables import metadata
from shared.event import Recorded, Text
from shared.views.view import Change, View, add, drop, put, view_table

suggestion_board = view_table(
    "suggestion_board",
    metadata,
    key=[sa.Column("community", PG_UUID), sa.Column("suggestion", PG_UUID)],
    put=[
        sa.Column("author", PG_UUID),
        sa.Column("anonymous", sa.Boolean),
        sa.Column("text_ref", PG_UUID),
        sa.Column("submitted_at", sa.DateTime(timezone=True)),
        sa.Column("state", sa.Text),
        sa.Column("state_since", sa.DateTime(timezone=True)),
        sa.Column("reason_ref", PG_UUID),
        sa.Column("answer_ref", PG_UUID),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("imported_by", PG_UUID),
    ],
    add=["votes"],
    indexes=[
        sa.Index("ix_suggestion_board_votes", "community", "votes", "submitted_at", "suggestion"),
        sa.Index("ix_suggestion_board_newest", "community", "submitted_at", "suggestion"),
    ],
)

suggestion_vote = view_table(
    "suggestion_vote",
    metadata,
    key=[sa.Column("community", PG_UUID), sa.Column("voter", PG_UUID), sa.Column("suggestion", PG_UUID)],
    put=[sa.Column("voted_at", sa.DateTime(timezone=True))],
)

BoardEvent = (
    SuggestionSubmitted
    | SuggestionEdited
    | SuggestionAnswered
    | SuggestionPlanned
    | SuggestionCompleted
    | SuggestionDeclined
    | SuggestionDeleted
    | SuggestionVoted
    | SuggestionVoteWithdrawn
)


def fold(event: BoardEvent, record: Recorded) -> Iterator[Change]:
    key, at = (record.community, event.suggestion_id), record.occurred_at
    match event:
        case SuggestionSubmitted(author_id=author, anonymous=anonymous, text=text):
            yield put(
                suggestion_board,
                key,
                record.version,
                author=author,
                anonymous=anonymous,
                text_ref=_ref(text),
                submitted_at=at,
                state="open",
                state_since=at,
                imported_by=record.imported_by,
            )
        case SuggestionEdited(text=text):
            yield put(suggestion_board, key, record.version, text_ref=text.ref)
        case SuggestionAnswered(text=text):
            yield put(suggestion_board, key, record.version, answer_ref=text.ref, answered_at=at)
        case SuggestionPlanned(reason=reason):
            yield put(suggestion_board, key, record.version, state="planned", state_since=at, reason_ref=_ref(reason))
        case SuggestionCompleted(reason=reason):
            yield put(suggestion_board, key, record.version, state="completed", state_since=at, reason_ref=_ref(reason))
        case SuggestionDeclined(reason=reason):
            yield put(suggestion_board, key, record.version, state="declined", state_since=at, reason_ref=_ref(reason))
        case SuggestionDeleted():
            yield drop(suggestion_board, key, record.version)
        case SuggestionVoted(voter_id=voter):
            yield add(suggestion_board, key, votes=1)
            yield put(suggestion_vote, (record.community, voter, event.suggestion_id), record.version, voted_at=at)
        case SuggestionVoteWithdrawn(voter_id=voter):
            yield add(suggestion_board, key, votes=-1)
            yield drop(suggestion_vote, (record.community, voter, event.suggestion_id), record.version)
        case _:
            raise TypeError(event)


def _ref(words: Text | None) -> UUID | None:
    return words.ref if words else None


SUGGESTION_BOARD = View("suggestion_board", (suggestion_board, suggestion_vote), fold)
