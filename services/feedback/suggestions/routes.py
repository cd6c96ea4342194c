"""Suggestions over HTTP: list by votes or newest, submit, show, answer, plan, complete, decline, delete."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Path, Query
from pydantic import Field, StrictBool

from services.feedback.events import SuggestionSubmitted
from services.feedback.read_models.suggestion_board import SUGGESTION_BOARD, suggestion_board, suggestion_vote
from services.feedback.suggestions import domain
from services.feedback.suggestions.anonymity import veiled
from services.feedback.suggestions.domain import SUGGESTION, Actor, State, answer, decide, delete
from services.feedback.suggestions.suggestion import EXAMPLE, SuggestionAnswer, SuggestionShown, show, shown
from shared.commands.preconditions import Precondition
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.web.access.permissions import CallerInCommunity, Contributor, Moderator, Participant, Reader
from shared.web.access.policy import Permission
from shared.web.dependencies import Commanding, Db, IfMatch, fresh
from shared.web.fields import Body, name, words
from shared.web.paging import Listing, Page, SortOrder, page
from shared.web.queries import Queries
from shared.web.request_commands import RequestCommands
from shared.web.vault_text import change, create, first_draft

router = APIRouter(prefix="/suggestions", tags=["suggestions"])

board, votes = suggestion_board.c, suggestion_vote.c
NEWEST: SortOrder = [(board.submitted_at, "desc"), (board.suggestion, "desc")]
MOST_VOTES: SortOrder = [(board.votes, "desc"), *NEWEST]
WORDS = [board.text_ref, board.reason_ref, board.answer_ref]

SuggestionPath = Annotated[UUID, Path(description="A suggestion's id.", examples=[EXAMPLE["id"]])]


class Submission(Body, example={"title": "More benches", "body": "There is nowhere to sit.", "anonymous": False}):
    title: Annotated[str, name(200)]
    body: Annotated[str, words(20_000)] | None = None
    anonymous: StrictBool = Field(False, description="Keep nothing of who submits it; that cannot be undone.")


class Reply(Body, example={"text": "Thank you, we have asked the town."}):
    text: Annotated[str, words(10_000)]


class Decision(Body, example={"reason": "In spring."}):
    reason: Annotated[str, words(2_000)] | None = None


Reason = Decision | None


def actor(me: CallerInCommunity) -> Actor:
    """The caller, as the decisions of this service know them."""
    return Actor(me.id, Permission.MODERATE in me.permissions, me.reads)


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
    at, mine = me.community.id, sa.and_(votes.community == board.community, votes.voter == me.id)
    select = (
        sa.select(
            suggestion_board,
            board.suggestion.label("id"),
            board.author.label("author_id"),
            sa.false().label("deleted"),
            votes.voted_at.is_not(None).label("my_vote"),
        )
        .outerjoin(suggestion_vote, sa.and_(mine, votes.suggestion == board.suggestion, present(suggestion_vote)))
        .where(present(suggestion_board), board.community == at)
    )
    if state is not None:
        select = select.where(board.state == state)
    if answered is not None:
        select = select.where(board.answered_at.is_not(None) if answered else board.answered_at.is_(None))
    rows, following = await page(db, select, MOST_VOTES if sort == "votes" else NEWEST, paging, WORDS)
    refs = [[row.text_ref, row.reason_ref, row.answer_ref] for row in rows]
    kept = await commands.vault.read(at, {ref for of_row in refs for ref in of_row if ref})
    items = [shown(row, kept, of_row) for row, of_row in zip(rows, refs, strict=True)]
    return Listing(items=items, next=following, freshness=freshness)


@router.post("", status_code=201, operation_id="submit_suggestion", summary="Submit a suggestion")
async def submit_suggestion(body: Submission, me: Contributor, commands: Commanding, db: Db) -> SuggestionAnswer:
    suggestion_id = commands.new_id(lambda made: veiled(made, me))
    author, sender = (None, commands.anonymously()) if body.anonymous else (me.id, commands)
    content = {"title": body.title, "body": body.body}
    sent = first_draft(me.community.id, author, suggestion_id, content, len(body.body or ""))
    submitted = SuggestionSubmitted(suggestion_id, author, body.anonymous, sent.text)
    made = await show(await create(sender, SUGGESTION, suggestion_id, submitted, sent), me, commands, db)
    commands.created("suggestions", suggestion_id)
    return made


@router.get("/{suggestion_id}", operation_id="get_suggestion", summary="Show a suggestion")
async def get_suggestion(
    suggestion_id: SuggestionPath,
    me: Reader,
    commands: Commanding,
    db: Db,
    freshness: Annotated[Freshness, fresh(SUGGESTION_BOARD)],
) -> SuggestionShown:
    """As it is now, with the caller's vote; the number of votes is as far as the board is. A deleted one, too, without
    its words.
    """
    found = await show(await commands.get(SUGGESTION, suggestion_id), me, commands, db)
    return SuggestionShown.of(found, freshness=freshness)


@router.delete("/{suggestion_id}", status_code=204, operation_id="delete_suggestion", summary="Take a suggestion away")
async def delete_suggestion(
    suggestion_id: SuggestionPath, me: Participant, commands: Commanding, expect: IfMatch
) -> None:
    """By its author or a moderator, for good: lists and metrics leave it out, and its words are shown to nobody.

    Also by an author who has left, and in an archived community. An anonymous one has no author: only moderators can.
    """
    by = actor(me)
    delete((await commands.get(SUGGESTION, suggestion_id)).state, by)  # whose it is comes before the version it is at
    await commands.change(SUGGESTION, suggestion_id, lambda state: delete(state, by), expect=expect)


@router.post("/{suggestion_id}/answer", operation_id="answer_suggestion", summary="Answer a suggestion")
async def answer_suggestion(
    suggestion_id: SuggestionPath, body: Reply, me: Moderator, commands: Commanding, db: Db, expect: IfMatch
) -> SuggestionAnswer:
    """Whatever its state; another text replaces the answer."""
    said = {"text": body.text}
    answered = await change(
        commands, SUGGESTION, suggestion_id, answer, said, lambda state: state.answer, about=me.id, expect=expect
    )
    return await show(answered, me, commands, db)


@router.post("/{suggestion_id}/plan", operation_id="plan_suggestion", summary="Plan to do what is suggested")
async def plan_suggestion(
    suggestion_id: SuggestionPath, me: Moderator, commands: Commanding, db: Db, expect: IfMatch, body: Reason = None
) -> SuggestionAnswer:
    """An open suggestion is planned; members may still vote."""
    return await _decide("planned", suggestion_id, body, me, commands, db, expect)


@router.post("/{suggestion_id}/complete", operation_id="complete_suggestion", summary="Say that it is done")
async def complete_suggestion(
    suggestion_id: SuggestionPath, me: Moderator, commands: Commanding, db: Db, expect: IfMatch, body: Reason = None
) -> SuggestionAnswer:
    """Votes on it are settled then."""
    return await _decide("completed", suggestion_id, body, me, commands, db, expect)


@router.post("/{suggestion_id}/decline", operation_id="decline_suggestion", summary="Say that it will not be done")
async def decline_suggestion(
    suggestion_id: SuggestionPath, me: Moderator, commands: Commanding, db: Db, expect: IfMatch, body: Reason = None
) -> SuggestionAnswer:
    """Votes on it are settled then."""
    return await _decide("declined", suggestion_id, body, me, commands, db, expect)


async def _decide(
    decision: domain.Decision,
    suggestion_id: UUID,
    body: Decision | None,
    me: CallerInCommunity,
    commands: RequestCommands,
    db: Queries,
    expect: Precondition | None,
) -> SuggestionAnswer:
    """Carry out a moderator's decision, with the reason in the vault as the moderator's words."""
    decided = await change(
        commands,
        SUGGESTION,
        suggestion_id,
        lambda state, reason: decide(state, decision, reason),
        {"text": body.reason} if body and body.reason else None,
        lambda state: state.reason,
        about=me.id,
        expect=expect,
    )
    return await show(decided, me, commands, db)
