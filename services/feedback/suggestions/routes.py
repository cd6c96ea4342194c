"""Suggestions over HTTP: list by votes or newest, submit, show, answer, plan, complete, decline, delete."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Annotated, Any, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Path, Query
from pydantic import Field, StrictBool

from services.feedback.events import SuggestionSubmitted
from services.feedback.read_models.suggestion_board import SUGGESTION_BOARD, suggestion_board, suggestion_vote
from services.feedback.suggestions import domain
from services.feedback.suggestions.anonymity import veiled
from services.feedback.suggestions.domain import SUGGESTION, Actor, State, Suggestion, answer, decide, delete
from services.feedback.votes.domain import VOTE, cast, vote_id
from shared.commands.outcome import Outcome
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.web.access.permissions import CallerInCommunity, Contributor, Moderator, Participant, Reader
from shared.web.access.policy import Permission
from shared.web.dependencies import Commanding, Db, IfMatch, fresh
from shared.web.editors import EditedBy
from shared.web.fields import Answer, Body, name, words
from shared.web.paging import Listing, Page, SortOrder, page
from shared.web.vault_text import Content, change, create, first_draft, read_all

router = APIRouter(prefix="/suggestions", tags=["suggestions"])

EXAMPLE = {
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
board, votes = suggestion_board.c, suggestion_vote.c
NEWEST: SortOrder = [(board.submitted_at, "desc"), (board.suggestion, "desc")]
MOST_VOTES: SortOrder = [(board.votes, "desc"), *NEWEST]

BoardFreshness = Annotated[Freshness, fresh(SUGGESTION_BOARD)]
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


def actor(me: CallerInCommunity) -> Actor:
    """The caller, as the decisions of this service know them."""
    return Actor(me.id, Permission.MODERATE in me.permissions, me.reads)


async def show(found: Outcome[Suggestion], me: CallerInCommunity, commands: Commanding, db: Db) -> SuggestionAnswer:
    """By its stream, its version as the ETag; with the caller's vote and the votes that the board has counted."""
    state, at, count, mine = found.state, me.community.id, 0, False
    if not found.begun:
        mine = cast((await commands.load(VOTE, vote_id(state.id, me.id))).state)
        count = await db.count(board.votes, board.community == at, board.suggestion == state.id)
    commands.tag(found.version, count, mine)
    said = await read_all(commands.vault, at, domain.words(state) or (None, None, None))
    return _shown(state, *said, votes=count, my_vote=mine)


def _shown(
    suggestion: Suggestion | sa.Row[Any], text: Content, reason: Content, answer: Content, **votes: Any
) -> SuggestionAnswer:
    said = {"title": text.get("title"), "body": text.get("body"), "reason": reason.get("text")}
    return SuggestionAnswer.of(suggestion, **said, answer=answer.get("text"), **votes)


@router.get("", operation_id="list_suggestions", summary="List suggestions")
async def list_suggestions(
    me: Reader,
    commands: Commanding,
    db: Db,
    paging: Page,
    freshness: BoardFreshness,
    sort: Annotated[Literal["votes", "newest"], Query(description="Most votes first, or newest first.")] = "votes",
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    answered: Annotated[bool | None, Query(description="Only those with, or without, an answer.")] = None,
) -> Listing[SuggestionAnswer]:
    """Every suggestion of the community, whatever its state; deleted ones are left out."""
    at, texts = me.community.id, [board.text_ref, board.reason_ref, board.answer_ref]
    mine = sa.and_(present(suggestion_vote, at), votes.voter == me.id, votes.suggestion == board.suggestion)
    columns = [
        board.suggestion.label("id"),
        board.author.label("author_id"),
        sa.false().label("deleted"),
        votes.voted_at.is_not(None).label("my_vote"),
    ]
    select = sa.select(suggestion_board, *columns).outerjoin(suggestion_vote, mine).where(present(suggestion_board, at))
    if state is not None:
        select = select.where(board.state == state)
    if answered is not None:
        select = select.where(board.answered_at.is_not(None) if answered else board.answered_at.is_(None))
    rows, following = await page(db, select, MOST_VOTES if sort == "votes" else NEWEST, paging, texts)
    said = await read_all(commands.vault, at, [getattr(row, text.name) for text in texts for row in rows])
    items = list(map(_shown, rows, said, said[len(rows) :], said[2 * len(rows) :]))  # texts, then reasons, then answers
    return Listing(items=items, next=following, freshness=freshness)


@router.post("", status_code=201, operation_id="submit_suggestion", summary="Submit a suggestion")
async def submit_suggestion(body: Submission, me: Contributor, commands: Commanding, db: Db) -> SuggestionAnswer:
    suggestion_id = commands.new_id(lambda made: veiled(made, me))
    author, sender = (None, commands.anonymously()) if body.anonymous else (me.id, commands)
    content = {"title": body.title, "body": body.body}
    sent = first_draft(me.community.id, author, suggestion_id, content, len(body.body or ""))
    submitted = SuggestionSubmitted(suggestion_id, author, body.anonymous, sent.text)
    found = await create(sender, SUGGESTION, suggestion_id, submitted, sent, below="suggestions")
    return await show(found, me, commands, db)


@router.get("/{suggestion_id}", operation_id="get_suggestion", summary="Show a suggestion")
async def get_suggestion(
    suggestion_id: SuggestionPath, me: Reader, commands: Commanding, db: Db, freshness: BoardFreshness
) -> SuggestionShown:
    """As it is now, with the caller's vote; the number of votes is as far as the board is. A deleted one, too, without
    its words.
    """
    found = await commands.get(SUGGESTION, suggestion_id)
    return SuggestionShown.of(await show(found, me, commands, db), freshness=freshness)


@router.delete("/{suggestion_id}", status_code=204, operation_id="delete_suggestion", summary="Take a suggestion away")
async def delete_suggestion(
    suggestion_id: SuggestionPath, me: Participant, commands: Commanding, expect: IfMatch
) -> None:
    """By its author or a moderator, for good: lists and metrics leave it out, and its words are shown to nobody.

    Also by an author who has left, and in an archived community. An anonymous one has no author: only moderators can.
    """
    deleted = partial(delete, by=actor(me))
    deleted((await commands.get(SUGGESTION, suggestion_id)).state)  # whose it is comes before the version it is at
    await commands.change(SUGGESTION, suggestion_id, deleted, expect=expect)


@router.post("/{suggestion_id}/answer", operation_id="answer_suggestion", summary="Answer a suggestion")
async def answer_suggestion(
    suggestion_id: SuggestionPath, body: Reply, me: Moderator, commands: Commanding, db: Db, expect: IfMatch
) -> SuggestionAnswer:
    """Whatever its state; another text replaces the answer."""
    said, stands = {"text": body.text}, attrgetter("answer")
    return await show(await change(commands, SUGGESTION, suggestion_id, answer, said, stands, expect), me, commands, db)


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
    to: domain.Decision, id_: UUID, body: Reason, me: CallerInCommunity, commands: Commanding, db: Db, expect: IfMatch
) -> SuggestionAnswer:
    """Carry out a moderator's decision, with the reason in the vault as the moderator's words."""
    said = {"text": body.reason} if body and body.reason else None
    decided = await change(commands, SUGGESTION, id_, partial(decide, to), said, attrgetter("reason"), expect)
    return await show(decided, me, commands, db)
