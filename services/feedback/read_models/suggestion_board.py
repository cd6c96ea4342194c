"""The suggestion board: every suggestion with its state, its answer and the number of its votes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never
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
from services.feedback.suggestions.domain import SuggestionEvent
from services.feedback.tables import metadata
from services.feedback.votes.domain import VoteEvent
from shared.events.event import Recorded, Text
from shared.projections.read_model import Change, ReadModel, add, drop, put
from shared.projections.read_model_table import listing_index, read_model_table
from shared.web.editors import editor

NEWEST = ("submitted_at", "suggestion")

suggestion_board = read_model_table(
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
        sa.Column("edited_at", sa.DateTime(timezone=True)),
        sa.Column("edited_by", PG_UUID),
        sa.Column("imported_by", PG_UUID),
    ],
    add=["votes", "votes_here"],
    indexes=[
        listing_index("ix_suggestion_board_votes", "community", "votes", *NEWEST),
        listing_index("ix_suggestion_board_newest", "community", *NEWEST),
        listing_index("ix_suggestion_board_state_votes", "community", "state", "votes", *NEWEST),
        listing_index("ix_suggestion_board_state_newest", "community", "state", *NEWEST),
        sa.Index(
            "ix_suggestion_board_answered",
            *("community", "votes", *NEWEST),
            postgresql_where=sa.text("not gone and answered_at is not null"),
        ),
    ],
)
"""`votes` are those that stand, `votes_here` all that were ever given here and not brought in."""

suggestion_vote = read_model_table(
    "suggestion_vote",
    metadata,
    key=[sa.Column("community", PG_UUID), sa.Column("voter", PG_UUID), sa.Column("suggestion", PG_UUID)],
    put=[sa.Column("voted_at", sa.DateTime(timezone=True))],
)

BoardEvent = SuggestionEvent | VoteEvent


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
                edited_at=event.edited_at,
                imported_by=record.imported_by,
            )
        case SuggestionEdited(text=text):
            words = {"text_ref": text.ref, "edited_at": at, "edited_by": editor(record)}
            yield put(suggestion_board, key, record.version, **words)
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
            yield add(suggestion_board, key, votes=1, votes_here=int(record.imported_by is None))
            yield put(suggestion_vote, (record.community, voter, event.suggestion_id), record.version, voted_at=at)
        case SuggestionVoteWithdrawn(voter_id=voter):
            yield add(suggestion_board, key, votes=-1)
            yield drop(suggestion_vote, (record.community, voter, event.suggestion_id), record.version)
        case _:
            assert_never(event)


def _ref(words: Text | None) -> UUID | None:
    return words.ref if words else None


SUGGESTION_BOARD = ReadModel("suggestion_board", (suggestion_board, suggestion_vote), fold)
