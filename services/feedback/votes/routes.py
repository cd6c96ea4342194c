"""Votes over HTTP: give one's vote, take it back."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter

from services.feedback.suggestions.domain import SUGGESTION
from services.feedback.suggestions.routes import SuggestionPath, actor
from services.feedback.votes.domain import VOTE, cast, vote, vote_id, withdraw
from shared.web.access.permissions import Contributor, Participant
from shared.web.dependencies import Commanding

router = APIRouter(prefix="/suggestions/{suggestion_id}/votes", tags=["suggestions"])


@router.put("/me", status_code=204, operation_id="vote_for_suggestion", summary="Vote for a suggestion")
async def vote_for_suggestion(suggestion_id: SuggestionPath, me: Contributor, commands: Commanding) -> None:
    """While it is open or planned. One vote per member; its author may vote, too."""
    mine, given = vote_id(suggestion_id, me.id), partial(vote, voter_id=me.id)
    await commands.execute(VOTE, mine, given, on=[(SUGGESTION, suggestion_id)], there=cast)


@router.delete("/me", status_code=204, operation_id="withdraw_vote", summary="Take one's vote back")
async def withdraw_vote(suggestion_id: SuggestionPath, me: Participant, commands: Commanding) -> None:
    """While the suggestion is open or planned; also by who has left, and in an archived community."""
    mine, withdrawn = vote_id(suggestion_id, me.id), partial(withdraw, by=actor(me))
    await commands.execute(VOTE, mine, withdrawn, on=[(SUGGESTION, suggestion_id)], there=cast)
