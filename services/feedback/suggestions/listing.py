"""The suggestion board over HTTP: by votes or newest, by state, answered or not."""

from __future__ import annotations

from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Query

from services.feedback.suggestions.domain import State
from services.feedback.suggestions.suggestion import SuggestionAnswer
from services.feedback.views.suggestion_board import SUGGESTION_BOARD, suggestion_board, suggestion_vote
from shared.access.permissions import Reader
from shared.http.dependencies import Commanding, Db, fresh
from shared.http.paging import Listing, Order, Page, page
from shared.views.freshness import Freshness
from shared.views.view import present

router = APIRouter(prefix="/suggestions", tags=["suggestions"])

board = suggestion_board.c

NEWEST: Order = [(board.submitted_at, "desc"), (board.suggestion, "desc")]
MOST_VOTES: Order = [(board.votes, "desc"), *NEWEST]


@router.get("", operation_id="list_suggestions", summary="List suggestions")
async def list_suggestions(
    here: Reader,
    store: Commanding,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(SUGGESTION_BOARD)],
    sort: Annotated[Literal["votes", "newest"], Query(description="Most votes first, or newest first.")] = "votes",
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    answered: Annotated[bool | None, Query(description="Only those with, or without, an answer.")] = None,
) -> Listing[SuggestionAnswer]:
    """Every suggestion of the community, whatever its state; deleted ones are left out."""
    mine = sa.and_(
        suggestion_vote.c.community == board.community,
        suggestion_vote.c.voter == here.id,
        suggestion_vote.c.suggestion == board.suggestion,
        present(suggestion_vote),
    )
    select = (
        sa.select(suggestion_board, suggestion_vote.c.voted_at.is_not(None).label("my_vote"))
        .outerjoin(suggestion_vote, mine)
        .where(present(suggestion_board), board.community == here.community.id)
    )
    if state is not None:
        select = select.where(board.state == state)
    if answered is not None:
        select = select.where(board.answered_at.is_not(None) if answered else board.answered_at.is_(None))
    rows, following = await page(db, select, MOST_VOTES if sort == "votes" else NEWEST, paging)

    refs = {ref for row in rows for ref in (row.text_ref, row.reason_ref, row.answer_ref) if ref is not None}
    words = await store.vault.read(here.community.id, refs)
    items = [
        SuggestionAnswer(
            id=row.suggestion,
            author_id=row.author,
            anonymous=row.anonymous,
            deleted=False,
            title=words.get(row.text_ref, {}).get("title"),
            body=words.get(row.text_ref, {}).get("body"),
            submitted_at=row.submitted_at,
            state=row.state,
            state_since=row.state_since,
            reason=words.get(row.reason_ref, {}).get("text"),
            answer=words.get(row.answer_ref, {}).get("text"),
            answered_at=row.answered_at,
            votes=row.votes,
            my_vote=row.my_vote,
            imported_by=row.imported_by,
        )
        for row in rows
    ]
    return Listing(items=items, next=following, freshness=freshness)
