"""Suggestions by state, with the times of their submission and of the first answer to each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import sqlalchemy as sa

from services.projection.subscriptions import (
    SuggestionAnswered,
    SuggestionCompleted,
    SuggestionDeclined,
    SuggestionDeleted,
    SuggestionPlanned,
    SuggestionSubmitted,
)
from services.projection.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, drop, micros, put
from shared.projections.read_model_table import read_model_table

STATES = ("open", "planned", "completed", "declined")
"""The states a suggestion can be in; being answered stands beside them."""

SUGGESTION = read_model_table(
    "suggestion",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("suggestion", sa.Uuid)],
    put=[sa.Column("state", sa.Text), sa.Column("submitted_at", sa.DateTime(timezone=True))],
)
ANSWER = read_model_table(
    "suggestion_answer",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("suggestion", sa.Uuid)],
    put=[sa.Column("answered_at", sa.DateTime(timezone=True))],
)

SuggestionEvent = (
    SuggestionSubmitted
    | SuggestionAnswered
    | SuggestionPlanned
    | SuggestionCompleted
    | SuggestionDeclined
    | SuggestionDeleted
)


def fold(event: SuggestionEvent, record: Recorded) -> Iterator[Change]:
    key = (record.community, event.suggestion_id)
    at = record.occurred_at
    match event:
        case SuggestionSubmitted():
            yield put(SUGGESTION, key, record.version, state="open", submitted_at=at)
        case SuggestionAnswered():
            # Revised answers follow the first one; the earliest wins, because its version is the greatest.
            yield put(ANSWER, key, -micros(at), answered_at=at)
        case SuggestionPlanned():
            yield put(SUGGESTION, key, record.version, state="planned")
        case SuggestionCompleted():
            yield put(SUGGESTION, key, record.version, state="completed")
        case SuggestionDeclined():
            yield put(SUGGESTION, key, record.version, state="declined")
        case SuggestionDeleted():
            yield drop(SUGGESTION, key, record.version)
        case _:
            assert_never(event)


SUGGESTIONS = ReadModel("suggestions", (SUGGESTION, ANSWER), fold)
