"""A suggestion as callers see it: what it says and what became of it, put together from streams, board and vault."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from services.feedback.events import (
    SuggestionAnswered,
    SuggestionCompleted,
    SuggestionDeclined,
    SuggestionEdited,
    SuggestionPlanned,
    SuggestionSubmitted,
)
from services.feedback.read_models.suggestion_board import suggestion_board
from services.feedback.suggestions.domain import State, Suggestion, existing
from services.feedback.votes.domain import VOTE, vote_id
from shared.commands.commands import Outcome
from shared.projections.freshness import Freshness
from shared.web.access.permissions import CallerInCommunity
from shared.web.dependencies import RequestCommands
from shared.web.editors import EditedBy, edited
from shared.web.fields import Answer
from shared.web.queries import Queries
from shared.web.vault_text import read_all

EXAMPLE: JsonDict = {
    "id": "0198c1a2-7b3c-7d4e-8f50-6a7b8c9d0e1f",
    "author_id": "5b0e2f0c-7d1a-8a43-9c55-0a1b2c3d4e5f",
    "anonymous": False,
    "deleted": False,
    "title": "More benches",
    "body": "There is nowhere to sit in the shade.",
    "submitted_at": "2026-03-01T12:00:00Z",
    "state": "planned",
    "state_since": "2026-03-04T09:30:00Z",
    "reason": "In spring.",
    "answer": "Thank you, we have asked the town.",
    "answered_at": "2026-03-02T10:00:00Z",
    "votes": 17,
    "my_vote": True,
    "edited_at": None,
    "edited_by": None,
    "imported_by": None,
}


_SETTLES_STATE = (SuggestionSubmitted, SuggestionPlanned, SuggestionCompleted, SuggestionDeclined)


class SuggestionAnswer(Answer):
    """A suggestion. Words are null where there are none, where it was deleted, or they were erased."""

    id: UUID
    author_id: UUID | None = Field(description="Null where the suggestion is anonymous or its author unknown.")
    anonymous: bool
    deleted: bool
    title: str | None
    body: str | None
    submitted_at: datetime
    state: State
    state_since: datetime
    reason: str | None = Field(description="Why it is in that state, where that was said.")
    answer: str | None
    answered_at: datetime | None = Field(description="When the answer, or its last revision, was given.")
    votes: int = Field(description="As the board has counted them.")
    my_vote: bool = Field(description="Whether the caller votes for it.")
    edited_at: datetime | None
    edited_by: EditedBy
    imported_by: UUID | None = Field(description="Who brought it in by a backfill; null where it was done here.")

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


class SuggestionShown(SuggestionAnswer):
    """A suggestion, and how far the board was that counted its votes."""

    freshness: Freshness


async def show(
    suggestion_id: UUID, found: Outcome[Suggestion], me: CallerInCommunity, commands: RequestCommands, db: Queries
) -> SuggestionAnswer:
    """A suggestion by its stream, its version as the ETag; with the caller's vote and the votes that the board has
    counted.
    """
    at = me.community.id
    state, history = found.state, found.history
    existing(state)
    votes, my_vote = (0, False) if found.begun else await _votes(suggestion_id, me, commands, db)
    commands.tag(found.version, votes, my_vote)
    words = [None] * 3 if state.deleted else [state.text, state.reason, state.answer]
    text, reason, answer = await read_all(commands.vault, at, words)
    return SuggestionAnswer(
        id=suggestion_id,
        author_id=state.author_id,
        anonymous=state.anonymous,
        deleted=state.deleted,
        title=text.get("title"),
        body=text.get("body"),
        submitted_at=history.began_at,
        state=state.state,
        state_since=history.last_at(*_SETTLES_STATE) or history.began_at,
        reason=reason.get("text"),
        answer=answer.get("text"),
        answered_at=history.last_at(SuggestionAnswered),
        votes=votes,
        my_vote=my_vote,
        **edited(history.last(SuggestionEdited), state.edited_at),
        imported_by=history.imported_by,
    )


async def _votes(
    suggestion_id: UUID, me: CallerInCommunity, commands: RequestCommands, db: Queries
) -> tuple[int, bool]:
    """The votes that the board has counted, and whether the caller's is one that stands."""
    mine = await commands.load(VOTE, vote_id(suggestion_id, me.id))
    counted = await db.execute(
        sa.select(suggestion_board.c.votes).where(
            suggestion_board.c.community == me.community.id, suggestion_board.c.suggestion == suggestion_id
        )
    )
    return counted.scalar_one_or_none() or 0, mine.state.cast
