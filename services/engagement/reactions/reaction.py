"""Reactions as callers see them: how many of each kind, the caller's own, and a page of who gave which."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field
from pydantic.config import JsonDict

from shared.projections.freshness import EXAMPLE as FRESHNESS_EXAMPLE
from shared.projections.freshness import Freshness
from shared.web.fields import Answer

REACTION: JsonDict = {
    "id": "4b1c5f0e-0d0a-5c5e-9d51-6d1a8e2f3c4b",
    "target_id": "0198c1a9-2c3d-7e4f-9a5b-6c7d8e9f0a1b",
    "actor_id": "5b0e2f0c-7d1a-8a43-9c55-0a1b2c3d4e5f",
    "kind": "helpful",
    "positive": True,
    "reacted_at": "2026-03-01T15:00:00Z",
    "imported_by": None,
}
SUMMARY: JsonDict = {
    "target_id": REACTION["target_id"],
    "counts": {"helpful": 3, "like": 5},
    "mine": ["helpful"],
    "items": [REACTION],
    "next": None,
    "freshness": FRESHNESS_EXAMPLE,
}


class ReactionAnswer(Answer, example=REACTION):
    """A reaction that stands."""

    id: UUID
    target_id: UUID
    actor_id: UUID | None = Field(description="Null where it was brought in without its giver.")
    kind: str
    positive: bool
    reacted_at: datetime
    imported_by: UUID | None = Field(None, description="Who brought it in by a backfill; null where it was given here.")


class ReactionsAnswer(Answer, example=SUMMARY):
    """The reactions to a target: `counts` by kind and `mine` are of all, `items` are a page of them, newest first."""

    target_id: UUID
    counts: dict[str, int]
    mine: list[str] = Field(description="The kinds that the caller has given.")
    items: list[ReactionAnswer]
    next: str | None = Field(None, description="Cursor of the next page; null on the last one.")
    freshness: Freshness | None = Field(None, description="How far the view was that answered.")
