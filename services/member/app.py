"""The member service: who is here, what they may and must do."""

from __future__ import annotations

from services.member import events
from services.member.backfill import BACKFILL
from services.member.communities import listing as community_listing
from services.member.communities import routes as communities
from services.member.imports import routes as imports
from services.member.membership import listing as member_listing
from services.member.membership import routes as membership
from services.member.moderation import routes as moderation
from services.member.processes.applications import APPLICATIONS
from services.member.profiles import routes as profiles
from services.member.read_models.community_list import COMMUNITY_LIST
from services.member.read_models.roster import ROSTER
from services.member.roles import routes as roles
from services.member.tables import metadata
from shared.service.service import Service

SERVICE = Service(
    name="member",
    title="Guildhall member service",
    description="Communities, membership, profiles and roles.",
    metadata=metadata,
    events=events,
    routers=(
        communities.founding,
        community_listing.router,
        communities.router,
        imports.router,
        member_listing.router,
        membership.router,
        moderation.router,
        profiles.router,
        roles.router,
    ),
    own_read_models=(COMMUNITY_LIST, ROSTER),
    process_managers=(APPLICATIONS,),
    backfill=BACKFILL,
)
