"""When things happened to a suggestion, from its own stream: a decision has no clock, the log has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from services.feedback.events import (
    SuggestionAnswered,
    SuggestionCompleted,
    SuggestionDeclined,
    SuggestionPlanned,
    SuggestionSubmitted,
)
from shared import context
from shared.errors import NotFound
from shared.event import Event, Recorded, wire_name
from shared.log import Log

SETTLES_STATE = (SuggestionSubmitted, SuggestionPlanned, SuggestionCompleted, SuggestionDeclined)
ANSWERS = (SuggestionAnswered,)


async def own_log(request: Request) -> Log:
    log = context.runtime_of(request).log
    assert log is not None, "the feedback service owns a log"
    return log


OwnLog = Annotated[Log, Depends(own_log)]


async def history(log: Log, community: UUID, suggestion_id: UUID) -> Sequence[Recorded]:
    """What happened to a suggestion of that community. Raises `NotFound` where there is none: an id alone must not
    reach into another community than the path's.
    """
    records = await log.load(suggestion_id)
    if not records or records[0].community != community or records[0].type != wire_name(SuggestionSubmitted):
        raise NotFound("There is no such suggestion.")
    return records


def last(records: Sequence[Recorded], events: Iterable[type[Event]]) -> datetime | None:
    """When the last of those events happened, None where none did."""
    names = {wire_name(event) for event in events}
    return next((record.occurred_at for record in reversed(records) if record.type in names), None)
