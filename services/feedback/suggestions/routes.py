"""Suggestions over HTTP: submit, show, answer, plan, complete, decline, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import ConfigDict, Field, StrictBool

from services.feedback.read_models.suggestion_board import SUGGESTION_BOARD
from services.feedback.suggestions.anonymity import veiled
from services.feedback.suggestions.domain import (
    SUGGESTION,
    Actor,
    Suggestion,
    SuggestionEvent,
    answer,
    complete,
    decline,
    delete,
    plan,
    submit,
)
from services.feedback.suggestions.suggestion import EXAMPLE, SuggestionAnswer, SuggestionShown, show
from shared.commands.preconditions import Precondition
from shared.events.event import Text
from shared.projections.freshness import Freshness
from shared.web.access.permissions import CallerInCommunity, Contributor, Moderator, Participant, Reader
from shared.web.access.policy import Permission
from shared.web.dependencies import Commanding, Db, IfMatch, RequestCommands, fresh
from shared.web.fields import Body, name, words
from shared.web.queries import Queries
from shared.web.vault_text import begin, first_draft, refer

router = APIRouter(prefix="/suggestions", tags=["suggestions"])

SuggestionPath = Annotated[UUID, Path(description="A suggestion's id.", examples=[EXAMPLE["id"]])]


class Submission(Body):
    title: Annotated[str, name(200)]
    body: Annotated[str, words(20_000)] | None = None
    anonymous: StrictBool = Field(False, description="Keep nothing of who submits it; that cannot be undone.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"title": "More benches", "body": "There is nowhere to sit.", "anonymous": False}]
        }
    )


class Reply(Body):
    text: Annotated[str, words(10_000)]

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Thank you, we have asked the town."}]})


class Decision(Body):
    reason: Annotated[str, words(2_000)] | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "In spring."}]})


@router.post("", status_code=201, operation_id="submit_suggestion", summary="Submit a suggestion")
async def submit_suggestion(body: Submission, me: Contributor, commands: Commanding, db: Db) -> SuggestionAnswer:
    suggestion_id = commands.new_id(lambda made: veiled(made, me))
    author, sender = (None, commands.anonymously()) if body.anonymous else (me.id, commands)
    content = {"title": body.title, "body": body.body}
    sent = first_draft(me.community.id, author, suggestion_id, content, len(body.body or ""))
    submitted = await begin(
        sender,
        SUGGESTION,
        suggestion_id,
        lambda state: submit(state, suggestion_id, author, sent.text, anonymous=body.anonymous),
        sent,
    )
    shown = await show(suggestion_id, submitted, me, commands, db)
    commands.created("suggestions", suggestion_id)
    return shown


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
    shown = await show(suggestion_id, await commands.load(SUGGESTION, suggestion_id), me, commands, db)
    return SuggestionShown(**shown.model_dump(), freshness=freshness)


def actor(me: CallerInCommunity) -> Actor:
    """The caller, as the decisions of this service know them."""
    return Actor(me.id, Permission.MODERATE in me.permissions, me.reads)


@router.delete("/{suggestion_id}", status_code=204, operation_id="delete_suggestion", summary="Take a suggestion away")
async def delete_suggestion(
    suggestion_id: SuggestionPath, me: Participant, commands: Commanding, expect: IfMatch
) -> None:
    """By its author or a moderator, for good: lists and metrics leave it out, and its words are shown to nobody.

    Also by an author who has left, and in an archived community. An anonymous one has no author: only moderators can.
    """
    by = actor(me)
    delete((await commands.load(SUGGESTION, suggestion_id)).state, by)  # whose it is comes before the version it is at
    await commands.execute(SUGGESTION, suggestion_id, lambda state: delete(state, by), expect=expect)


@router.post("/{suggestion_id}/answer", operation_id="answer_suggestion", summary="Answer a suggestion")
async def answer_suggestion(
    suggestion_id: SuggestionPath,
    body: Reply,
    me: Moderator,
    commands: Commanding,
    db: Db,
    expect: IfMatch,
) -> SuggestionAnswer:
    """Whatever its state; another text replaces the answer."""
    before = await commands.load(SUGGESTION, suggestion_id)
    text, secrets = await refer(
        commands.vault, me.community.id, me.id, {"text": body.text}, len(body.text), before.state.answer
    )

    def answered(state: Suggestion) -> list[SuggestionEvent]:
        return answer(state, text) if text else []

    found = await commands.execute(SUGGESTION, suggestion_id, answered, secrets=secrets, expect=expect)
    return await show(suggestion_id, found, me, commands, db)


@router.post("/{suggestion_id}/plan", operation_id="plan_suggestion", summary="Plan to do what is suggested")
async def plan_suggestion(
    suggestion_id: SuggestionPath,
    me: Moderator,
    commands: Commanding,
    db: Db,
    expect: IfMatch,
    body: Decision | None = None,
) -> SuggestionAnswer:
    """An open suggestion is planned; members may still vote."""
    return await _decided(plan, suggestion_id, body, me, commands, db, expect)


@router.post("/{suggestion_id}/complete", operation_id="complete_suggestion", summary="Say that it is done")
async def complete_suggestion(
    suggestion_id: SuggestionPath,
    me: Moderator,
    commands: Commanding,
    db: Db,
    expect: IfMatch,
    body: Decision | None = None,
) -> SuggestionAnswer:
    """Votes on it are settled then."""
    return await _decided(complete, suggestion_id, body, me, commands, db, expect)


@router.post("/{suggestion_id}/decline", operation_id="decline_suggestion", summary="Say that it will not be done")
async def decline_suggestion(
    suggestion_id: SuggestionPath,
    me: Moderator,
    commands: Commanding,
    db: Db,
    expect: IfMatch,
    body: Decision | None = None,
) -> SuggestionAnswer:
    """Votes on it are settled then."""
    return await _decided(decline, suggestion_id, body, me, commands, db, expect)


async def _decided(
    decide: Callable[[Suggestion, Text | None], list[SuggestionEvent]],
    suggestion_id: UUID,
    body: Decision | None,
    me: CallerInCommunity,
    commands: RequestCommands,
    db: Queries,
    expect: Precondition | None,
) -> SuggestionAnswer:
    """Carry out a moderator's decision, with the reason in the vault as the moderator's words."""
    before = await commands.load(SUGGESTION, suggestion_id)
    reason = body.reason if body else None
    text, secrets = await refer(
        commands.vault,
        me.community.id,
        me.id,
        {"text": reason} if reason else None,
        len(reason or ""),
        before.state.reason,
    )
    found = await commands.execute(
        SUGGESTION, suggestion_id, lambda state: decide(state, text), secrets=secrets, expect=expect
    )
    return await show(suggestion_id, found, me, commands, db)
