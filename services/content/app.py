"""The content service: what the community reads and talks about."""

from __future__ import annotations

from services.content import events, tag_routes
from services.content.acceptance import routes as acceptance
from services.content.backfill import BACKFILL
from services.content.channels import routes as channels
from services.content.comments import routes as comments
from services.content.read_models.channel_list import CHANNEL_LIST
from services.content.read_models.discussion import DISCUSSION
from services.content.read_models.tag_list import TAG_LIST
from services.content.read_models.thread_list import THREAD_LIST
from services.content.replies import routes as replies
from services.content.tables import metadata
from services.content.threads import listing
from services.content.threads import routes as threads
from shared.service.service import Service

SERVICE = Service(
    name="content",
    title="Guildhall content service",
    description="Channels, threads, replies, comments, accepted answers and tags.",
    metadata=metadata,
    events=events,
    routers=(
        channels.router,
        listing.router,
        threads.router,
        replies.router,
        acceptance.router,
        comments.router,
        tag_routes.router,
    ),
    own_read_models=(CHANNEL_LIST, THREAD_LIST, DISCUSSION, TAG_LIST),
    backfill=BACKFILL,
)
