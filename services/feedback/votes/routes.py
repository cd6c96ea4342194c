"""Votes over HTTP: give one's vote, take it back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter

from services.feedback.events import SuggestionVoted
from services.feedback.suggestions.domain import SUGGESTION
from services.feedback.suggestions.history import OwnLog, history, last
from services.feedback.suggestions.routes import SuggestionPath
from services.feedback.votes.domain import VOTE, vote, vote_id, withdraw
from shared.access import Contributor
from shared.http import Commanding
from shared.log import Log

router = APIRouter(prefix="/suggestions/{suggestion_id}/votes", tags=["suggestions"])


@router.put("/me", status_code=204, operation_id="vote_for_suggestion", summary="Vote for a suggestion")
async def vote_for_suggestion(suggestion_id: SuggestionPath, here: Contributor, store: Commanding, log: OwnLog) -> None:
    """While it is open or planned. One vote per member; its author may vote, too."""
    await history(log, here.community.id, suggestion_id)
    suggestion = (await store.load(SUGGESTION, suggestion_id)).state
    await store.execute(VOTE, vote_id(suggestion_id, here.id), lambda state: vote(state, suggestion, here.id))


@router.delete("/me", status_code=204, operation_id="withdraw_vote", summary="Take one's vote back")
async def withdraw_vote(suggestion_id: SuggestionPath, here: Contributor, store: Commanding, log: OwnLog) -> None:
    """While the suggestion is open or planned."""
    await history(log, here.community.id, suggestion_id)
    suggestion = (await store.load(SUGGESTION, suggestion_id)).state
    stream = vote_id(suggestion_id, here.id)
    voted_at = await _voted_at(log, stream)
    if voted_at is not None:
        await store.execute(VOTE, stream, lambda state: withdraw(state, suggestion, here.id, voted_at))


async def _voted_at(log: Log, stream: UUID) -> datetime | None:
    """When the vote was last given. Only its own member moves it, so between this and the decision it stays put."""
    return last(await log.load(stream), [SuggestionVoted])
