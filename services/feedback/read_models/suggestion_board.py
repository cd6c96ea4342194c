"""The suggestion board: every suggestion with its state, its answer and the number of its votes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID as ID

from services.feedback import events
from services.feedback.suggestions.domain import SuggestionEvent
from services.feedback.tables import metadata
from services.feedback.votes.domain import VoteEvent
from shared.events.event import Recorded, Text
from shared.projections.read_model import Change, ReadModel, add, drop, put
from shared.projections.read_model_table import TIME, listing_index, read_model_table
from shared.web.editors import editor

NEWEST = ("submitted_at", "suggestion")
VOTES = ("votes", *NEWEST)

suggestion_board = read_model_table(
    "suggestion_board",
    metadata,
    key={"community": ID, "suggestion": ID},
    put={
        **dict.fromkeys(["author", "text_ref", "reason_ref", "answer_ref", "edited_by", "imported_by"], ID),
        **dict.fromkeys(["submitted_at", "state_since", "answered_at", "edited_at"], TIME),
        "anonymous": sa.Boolean,
        "state": sa.Text,
    },
    add=["votes", "votes_here"],
    indexes=[
        listing_index("ix_suggestion_board_votes", "community", *VOTES),
        listing_index("ix_suggestion_board_newest", "community", *NEWEST),
        listing_index("ix_suggestion_board_state_votes", "community", "state", *VOTES),
        listing_index("ix_suggestion_board_state_newest", "community", "state", *NEWEST),
        listing_index("ix_suggestion_board_answered", "community", *VOTES, where="answered_at is not null"),
    ],
)
"""`votes` are those that stand, `votes_here` all that were ever given here and not brought in."""

suggestion_vote = read_model_table(
    "suggestion_vote", metadata, key={"community": ID, "voter": ID, "suggestion": ID}, put={"voted_at": TIME}
)


def fold(event: SuggestionEvent | VoteEvent, record: Recorded) -> Iterator[Change]:
    key, version, at = (record.community, event.suggestion_id), record.version, record.occurred_at
    row = (suggestion_board, key, version)
    match event:
        case events.SuggestionSubmitted(author_id=author, anonymous=anonymous, text=text, edited_at=edited_at):
            said = {
                "author": author,
                "anonymous": anonymous,
                "text_ref": _ref(text),
                "imported_by": record.imported_by,
            }
            yield put(*row, submitted_at=at, state="open", state_since=at, edited_at=edited_at, **said)
        case events.SuggestionEdited(text=text):
            yield put(*row, text_ref=text.ref, edited_at=at, edited_by=editor(record))
        case events.SuggestionAnswered(text=text):
            yield put(*row, answer_ref=text.ref, answered_at=at)
        case events.SuggestionPlanned(reason=reason):
            yield put(*row, state="planned", state_since=at, reason_ref=_ref(reason))
        case events.SuggestionCompleted(reason=reason):
            yield put(*row, state="completed", state_since=at, reason_ref=_ref(reason))
        case events.SuggestionDeclined(reason=reason):
            yield put(*row, state="declined", state_since=at, reason_ref=_ref(reason))
        case events.SuggestionDeleted():
            yield drop(*row)
        case events.SuggestionVoted(voter_id=voter):
            yield add(suggestion_board, key, votes=1, votes_here=int(record.imported_by is None))
            yield put(suggestion_vote, (record.community, voter, event.suggestion_id), version, voted_at=at)
        case events.SuggestionVoteWithdrawn(voter_id=voter):
            yield add(suggestion_board, key, votes=-1)
            yield drop(suggestion_vote, (record.community, voter, event.suggestion_id), version)
        case _:
            assert_never(event)


def _ref(text: Text | None) -> UUID | None:
    return text.ref if text else None


SUGGESTION_BOARD = ReadModel("suggestion_board", (suggestion_board, suggestion_vote), fold)
