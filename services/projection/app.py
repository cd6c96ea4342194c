"""The projection service: what it all comes to."""

from __future__ import annotations

from services.projection.activity import routes as activity
from services.projection.influence import routes as influence
from services.projection.read_models.actions import ACTIONS
from services.projection.read_models.communities import COMMUNITIES
from services.projection.read_models.imports import IMPORTS
from services.projection.read_models.memberships import MEMBERSHIPS
from services.projection.read_models.responses import RESPONSES
from services.projection.read_models.suggestions import SUGGESTIONS
from services.projection.read_models.visits import VISITS
from services.projection.scoring_policies import routes as scoring_policies
from services.projection.suggestions import routes as suggestions
from services.projection.tables import metadata
from shared.service.service import Service

SERVICE = Service(
    name="projection",
    title="Guildhall projection service",
    description="Activity, influence and suggestions in numbers, computed from the events of the other services.",
    metadata=metadata,
    routers=(activity.router, influence.router, suggestions.router, scoring_policies.router),
    topic_read_models=(ACTIONS, COMMUNITIES, IMPORTS, MEMBERSHIPS, RESPONSES, SUGGESTIONS, VISITS),
)
