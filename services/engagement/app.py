"""The engagement service: what people do with what they read."""

from __future__ import annotations

from services.engagement import events
from services.engagement.backfill import BACKFILL
from services.engagement.reactions import routes as reactions
from services.engagement.read_models.reach import REACH
from services.engagement.read_models.reactions import REACTIONS
from services.engagement.read_models.targets import TARGETS
from services.engagement.shares import routes as shares
from services.engagement.tables import metadata
from services.engagement.visits import routes as visits
from shared.service.service import Service

SERVICE = Service(
    name="engagement",
    title="Guildhall engagement service",
    description="Reactions, views and shares.",
    metadata=metadata,
    events=events,
    routers=(reactions.router, visits.router, shares.router),
    own_read_models=(REACTIONS, REACH),
    topic_read_models=(TARGETS,),
    backfill=BACKFILL,
)
