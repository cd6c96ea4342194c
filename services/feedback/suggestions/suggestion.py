"""A suggestion as callers see it: what it says and what became of it, put together from streams, board and vault."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field
from pydantic.config import JsonDict

from services.feedback.read_models.suggestion_board import suggestion_board
from services.feedback.suggestions.domain import State, Suggestion, words
from services.feedback.votes.domain import VOTE, cast, vote_id
from shared.commands.commands import Outcome
from shared.projections.freshness import Freshness
from shared.web.access.permissions import CallerInCommunity
from shared.web.editors import EditedBy
from shared.web.fields import Answer
from shared.web.queries import Queries
from shared.web.request_commands import RequestCommands
from shared.web.vault_text import Content

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


class SuggestionAnswer(Answer, example=EXAMPLE):
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


class SuggestionShown(SuggestionAnswer):
    """A suggestion, and how far the board was that counted its votes."""

    freshness: Freshness


async def show(
    found: Outcome[Suggestion], me: CallerInCommunity, commands: RequestCommands, db: Queries
) -> SuggestionAnswer:
    """A suggestion by its stream, its version as the ETag; with the caller's vote and the votes that the board has
    counted.
    """
    state, votes, mine = found.state, 0, False
    if not found.begun:
        mine = cast((await commands.load(VOTE, vote_id(state.id, me.id))).state)
        board = suggestion_board.c
        listed = sa.and_(board.community == me.community.id, board.suggestion == state.id)
        votes = (await db.execute(sa.select(board.votes).where(listed))).scalar_one_or_none() or 0
    commands.tag(found.version, votes, mine)
    refs = [text.ref if text else None for text in words(state)] or [None] * 3
    kept = await commands.vault.read(me.community.id, [ref for ref in refs if ref])
    return shown(state, kept, refs, votes=votes, my_vote=mine)


def shown(
    suggestion: Suggestion | sa.Row[Any], kept: dict[UUID, Content], refs: list[UUID | None], **votes: Any
) -> SuggestionAnswer:
    """By its stream or a row, with the words `kept` under the references of its text, its reason and the answer."""
    text, reason, answer = (kept.get(ref, {}) if ref else {} for ref in refs)
    said = {"title": text.get("title"), "body": text.get("body"), "reason": reason.get("text")}
    return SuggestionAnswer.of(suggestion, **said, answer=answer.get("text"), **votes)
