"""The caller, as the decisions of this service know them."""

from __future__ import annotations

from services.content.authorship import Actor
from shared.web.access.permissions import CallerInCommunity
from shared.web.access.policy import Permission


def actor(me: CallerInCommunity) -> Actor:
    """Who acts, whether they moderate here, and whether they read here."""
    return Actor(me.id, Permission.MODERATE in me.permissions, me.reads)
