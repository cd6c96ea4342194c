"""When the acceptance was given that stands in a thread: the log knows, the state does not."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.content.acceptance.domain import Given
from services.content.events import AnswerAccepted
from services.content.history import CATALOGUE, History
from services.content.threads.domain import Thread
from shared.event import wire_name


def given_in(found: History[Thread]) -> Given | None:
    """The last acceptance of that thread; None where none was ever given."""
    at = found.last(AnswerAccepted)
    return Given(found.state.acceptances, at) if at is not None else None


def was_accepted(found: History[Thread], reply_id: UUID, at: datetime) -> bool:
    """Whether that reply was accepted in that thread at that time, whatever became of it."""
    name = wire_name(AnswerAccepted)
    same = (record for record in found.records if record.type == name and record.occurred_at == at)
    accepted = (CATALOGUE.decode(record.type, record.data) for record in same)
    return any(isinstance(event, AnswerAccepted) and event.reply_id == reply_id for event in accepted)
