"""The caller, as the decisions of this service know them."""

from __future__ import annotations

from services.content.texts import Actor
from shared.access.permissions import Here, Permission


def actor(here: Here) -> Actor:
    """Who acts, whether they moderate here, and whether they read here."""
    return Actor(here.id, Permission.MODERATE in here.permissions, here.reads)
