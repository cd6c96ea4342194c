"""What a backfill may bring in: suggestions, with or without their words, and the votes for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool

from services.feedback.events import SuggestionVoted
from services.feedback.suggestions.domain import SUGGESTION, Suggestion, submit
from services.feedback.votes.domain import VOTE, Vote, vote, vote_id
from shared.backfill.command import BackfillCommand, Line, LineContext, Source
from shared.commands import Outcome
from shared.errors import Invalid
from shared.http.wording import first_draft
from shared.http.words import brought_in, name, words


class SubmitLine(Line):
    """`subject` suggested it then; nobody known when null, and nobody is kept when `anonymous`."""

    command: Literal["submit-suggestion"]
    title: Annotated[Annotated[str, name(200)] | None, brought_in()] = None
    body: Annotated[str, words(20_000)] | None = None
    anonymous: StrictBool = False


class VoteLine(Line):
    """`subject` voted for it then."""

    command: Literal["vote"]
    suggestion: Source = Field(description="The suggestion's own `source`.")


def _suggestion(context: LineContext, line: SubmitLine) -> UUID:
    return context.id("suggestion", line.source)


async def _submit(context: LineContext, line: SubmitLine) -> Outcome[Suggestion]:
    suggestion_id, author = _suggestion(context, line), None if line.anonymous else context.member
    content = None if line.title is None and line.body is None else {"title": line.title, "body": line.body}
    sent = first_draft(context.community.id, author, suggestion_id, content, len(line.body or ""))
    return await context.commands.execute(
        SUGGESTION,
        suggestion_id,
        lambda state: submit(state, suggestion_id, author, sent.text, anonymous=line.anonymous),
        act=replace(context.act, actor=author),
        secrets=sent.secrets,
    )


def _vote_stream(context: LineContext, line: VoteLine) -> UUID:
    return vote_id(context.id("suggestion", line.suggestion), _voter(context))


async def _vote(context: LineContext, line: VoteLine) -> Outcome[Vote]:
    voter, stream = _voter(context), _vote_stream(context, line)
    if await context.happened(stream, SuggestionVoted):
        return await context.load(VOTE, stream)  # even where it was withdrawn since, or the suggestion settled
    suggestion = (await context.load(SUGGESTION, context.id("suggestion", line.suggestion))).state
    return await context.execute(VOTE, stream, lambda state: vote(state, suggestion, voter))


def _voter(context: LineContext) -> UUID:
    if context.member is None:
        raise Invalid("Somebody votes: `subject` says who.", pointer="/subject")
    return context.member


BACKFILL = (
    BackfillCommand("submit-suggestion", SubmitLine, _suggestion, _submit),
    BackfillCommand("vote", VoteLine, _vote_stream, _vote),
)
