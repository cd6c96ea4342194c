"""The feedback service: what members think."""

from __future__ import annotations

from services.feedback import events
from services.feedback.backfill import BACKFILL
from services.feedback.read_models.suggestion_board import SUGGESTION_BOARD
from services.feedback.suggestions import routes as suggestions
from services.feedback.tables import metadata
from services.feedback.votes import routes as votes
from shared.service.service import Service

SERVICE = Service(
    name="feedback",
    title="Guildhall feedback service",
    description="Suggestions, the votes for them, and what becomes of them.",
    metadata=metadata,
    events=events,
    routers=(suggestions.router, votes.router),
    own_read_models=(SUGGESTION_BOARD,),
    backfill=BACKFILL,
)
