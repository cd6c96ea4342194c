"""What a backfill may bring in: suggestions, with or without their words, and the votes for them.

What is known is edited where a newer edition says so, and repeated otherwise, whatever became of it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field, StrictBool

from services.feedback.events import (
    SuggestionEdited,
    SuggestionSubmitted,
    SuggestionVoted,
    SuggestionVoteWithdrawn,
)
from services.feedback.read_models.suggestion_board import suggestion_board
from services.feedback.suggestions.domain import SUGGESTION, Suggestion, edit
from services.feedback.votes.domain import VOTE, Vote, VoteEvent, cast, vote, vote_id
from shared.commands.outcome import Outcome
from shared.events.errors import Invalid, Unavailable
from shared.web.backfill.command import BackfillCommand, DatedLine, Line, LineContext, Source
from shared.web.backfill.editions import earlier, newer, reference
from shared.web.backfill.optional_parts import OrNothing, brought_in, shortened
from shared.web.fields import name, words
from shared.web.request_commands import quarter_of
from shared.web.vault_text import draft, first_draft, read


class SubmitLine(DatedLine):
    """`subject` suggested it then; nobody known when null, as it has to be when `anonymous`."""

    command: Literal["submit-suggestion"]
    title: Annotated[Annotated[str, name(200), shortened(200)] | None, OrNothing, brought_in(200)] = None
    body: Annotated[str, words(20_000)] | None = None
    anonymous: StrictBool = False


class VoteLine(Line):
    """`subject` voted for it then."""

    command: Literal["vote"]
    suggestion: Source = Field(description="The suggestion's own `source`.")


def _suggestion(context: LineContext, line: SubmitLine) -> UUID:
    return context.id("suggestion", line.source)


async def _submit(context: LineContext, line: SubmitLine) -> Outcome[Suggestion]:
    suggestion_id, author, edited = _suggestion(context, line), context.member, line.edited
    if line.anonymous:
        if author is not None:  # else the answer would tell whether they were a member, and leave no mark of it
            raise Invalid("An anonymous suggestion has no `subject`: leave it out.", pointer="/subject")
        context = replace(context, act=replace(context.act, occurred_at=quarter_of(context.act.occurred_at)))
        edited = edited and quarter_of(edited)
    if (found := await context.find(SUGGESTION, suggestion_id)) is not None:
        return await _edit(context, line, found, edited)
    content = None if line.title is None and line.body is None else {"title": line.title, "body": line.body}
    sent = first_draft(context.community.id, author, suggestion_id, content, len(line.body or ""))
    submitted = SuggestionSubmitted(suggestion_id, author, line.anonymous, sent.text, edited)
    return await context.create(SUGGESTION, suggestion_id, submitted, secrets=sent.secrets)


async def _edit(
    by: LineContext, line: SubmitLine, found: Outcome[Suggestion], edited: datetime | None
) -> Outcome[Suggestion]:
    """Put the edition's words in the place of those that stand, where it is newer; erased ones are not brought back."""
    state = found.state
    if not newer(edited, state):
        return found
    before = earlier(edited, state)
    was = await read(by.vault, by.community.id, state.text) if state.text else {"title": None, "body": None}
    if was is None:
        return found
    content = {"title": line.title or was["title"], "body": line.body or was["body"]}
    if content == was or await by.vault.stood(by.community.id, before, content):
        return found
    if await _voted_here(by, state.id):
        by.left_out.add("", "Members have voted for it here, as it stands.")
        return found
    new = draft(by.community.id, state.author_id, reference(edited, state), content, len(content["body"] or ""))
    text = new.text
    assert text is not None, "there is content"
    return await by.edit(
        SUGGESTION, state.id, lambda now: edit(now, state.text, text), edited, state.author_id, secrets=new.secrets
    )


async def _voted_here(context: LineContext, suggestion: UUID) -> bool:
    """Whether a member gave it a vote here: they support these words, not what an importer makes of them."""
    board = suggestion_board.c
    me = sa.and_(board.community == context.community.id, board.suggestion == suggestion, board.votes_here > 0)
    async with context.runtime.engine.connect() as connection:
        found = await connection.execute(sa.select(sa.exists().where(me)))
        return bool(found.scalar())


def _vote_stream(context: LineContext, line: VoteLine) -> UUID:
    return vote_id(context.id("suggestion", line.suggestion), _voter(context))


async def _vote(context: LineContext, line: VoteLine) -> Outcome[Vote | None]:
    voter, stream = _voter(context), _vote_stream(context, line)
    known = await context.load(VOTE, stream)
    suggestion = (await context.get(SUGGESTION, context.id("suggestion", line.suggestion))).state
    settled = suggestion.closed and context.by_then(suggestion.state_since)
    then = replace(
        suggestion, state=suggestion.state if settled else "open", deleted_at=context.by_then(suggestion.deleted_at)
    )

    if not context.theirs(known):
        vote(None, then, voter)  # whoever voted here, all are told the same of what takes no votes
    if known.state is not None and known.state.latest >= context.act.occurred_at:
        return known  # what was decided since stays: even where it was withdrawn, or the suggestion settled
    if context.stays(known, SuggestionVoted, SuggestionVoteWithdrawn):
        return known

    def decide(state: Vote | None) -> list[VoteEvent]:
        if state != known.state and not cast(state):
            raise Unavailable("They decide on it themselves at the same moment. Send this again.", retry_after=1)
        return vote(state, then, voter)

    return await context.execute(VOTE, stream, decide)


def _voter(context: LineContext) -> UUID:
    if context.member is None:
        raise Invalid("Somebody votes: `subject` says who.", pointer="/subject")
    return context.member


BACKFILL = (
    BackfillCommand(
        "submit-suggestion",
        SubmitLine,
        _suggestion,
        _submit,
        edits=(SuggestionEdited,),
        listed=lambda line: None,
    ),
    BackfillCommand("vote", VoteLine, _vote_stream, _vote),
)
