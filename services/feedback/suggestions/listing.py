"""The suggestion board over HTTP: by votes or newest, by state, answered or not."""

from __future__ import annotations

from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Query

from services.feedback.read_models.suggestion_board import SUGGESTION_BOARD, suggestion_board, suggestion_vote
from services.feedback.suggestions.domain import State
from services.feedback.suggestions.suggestion import SuggestionAnswer
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.web.access.permissions import Reader
from shared.web.dependencies import Commanding, Db, fresh
from shared.web.paging import Listing, Page, SortOrder, page

router = APIRouter(prefix="/suggestions", tags=["suggestions"])

board = suggestion_board.c

NEWEST: SortOrder = [(board.submitted_at, "desc"), (board.suggestion, "desc")]
MOST_VOTES: SortOrder = [(board.votes, "desc"), *NEWEST]


@router.get("", operation_id="list_suggestions", summary="List suggestions")
async def list_suggestions(
    me: Reader,
    commands: Commanding,
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
        suggestion_vote.c.voter == me.id,
        suggestion_vote.c.suggestion == board.suggestion,
        present(suggestion_vote),
    )
    select = (
        sa.select(suggestion_board, suggestion_vote.c.voted_at.is_not(None).label("my_vote"))
        .outerjoin(suggestion_vote, mine)
        .where(present(suggestion_board), board.community == me.community.id)
    )
    if state is not None:
        select = select.where(board.state == state)
    if answered is not None:
        select = select.where(board.answered_at.is_not(None) if answered else board.answered_at.is_(None))
    texts = [board.text_ref, board.reason_ref, board.answer_ref]
    rows, following = await page(db, select, MOST_VOTES if sort == "votes" else NEWEST, paging, texts)

    refs = {ref for row in rows for ref in (row.text_ref, row.reason_ref, row.answer_ref) if ref is not None}
    words = await commands.vault.read(me.community.id, refs)
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
            edited_at=row.edited_at,
            edited_by=row.edited_by,
            imported_by=row.imported_by,
        )
        for row in rows
    ]
    return Listing(items=items, next=following, freshness=freshness)
