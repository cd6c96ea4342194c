"""The tags over HTTP: which are in use, and how much."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter

from services.content.read_models.tag_list import TAG_LIST, tag_list
from shared.projections.freshness import Freshness
from shared.web.access.permissions import Reader
from shared.web.dependencies import Db, fresh
from shared.web.fields import Answer
from shared.web.paging import Listing, Page, SortOrder, page

router = APIRouter(prefix="/tags", tags=["tags"])

MOST: SortOrder = [(tag_list.c.threads, "desc"), (tag_list.c.tag, "desc")]


class TagAnswer(Answer, example={"tag": "roses", "threads": 12}):
    """A tag, and how many threads stand under it."""

    tag: str
    threads: int


@router.get("", operation_id="list_tags", summary="List tags")
async def list_tags(
    me: Reader, db: Db, paging: Page, freshness: Annotated[Freshness, fresh(TAG_LIST)]
) -> Listing[TagAnswer]:
    """Those in use, the most used first."""
    row = tag_list.c
    select = sa.select(row.tag, row.threads).where(row.community == me.community.id, row.threads > 0)
    rows, following = await page(db, select, MOST, paging)
    return Listing(items=[TagAnswer.model_validate(row) for row in rows], next=following, freshness=freshness)
