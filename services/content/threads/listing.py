"""The list of threads over HTTP: by channel, tag or author, newest or most recently active."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import AfterValidator

from services.content.read_models.thread_list import THREAD_LIST, thread_activity, thread_list, thread_tag
from services.content.tags import SENT, normal
from services.content.threads.thread import AS_SHOWN, ThreadAnswer, show_all
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.web.access.permissions import Reader
from shared.web.dependencies import Commanding, Db, fresh
from shared.web.paging import Listing, Page, SortOrder, page

router = APIRouter(prefix="/threads", tags=["threads"])

thread, activity, tagged = thread_list.c, thread_activity.c, thread_tag.c

NEWEST: SortOrder = [(thread.opened_at, "desc"), (thread.thread, "desc")]
ACTIVE: SortOrder = [(activity.at, "desc"), (activity.thread, "desc")]


def threads_of(
    community: UUID, *, channel: UUID | None = None, author: UUID | None = None, tag: str | None = None
) -> sa.Select[Any]:
    """The threads that stand, as they are shown; each filter that is given narrows it."""
    select = (
        sa.select(*AS_SHOWN)
        .join(thread_activity, sa.and_(activity.community == thread.community, activity.thread == thread.thread))
        .where(present(thread_list), present(thread_activity), thread.community == community)
    )
    if channel is not None:
        select = select.where(thread.channel == channel)
    if author is not None:
        select = select.where(thread.author == author)
    if tag is not None:
        # Written into the statement: how frequent a tag is decides between two plans, and a prepared statement that
        # leaves it open takes 100 ms where 2 do, with 100,000 threads. `normal` has made it harmless.
        wanted = sa.literal(normal(tag), sa.Text, literal_execute=True)
        matching = sa.and_(tagged.community == thread.community, tagged.thread == thread.thread, tagged.tag == wanted)
        select = select.join(thread_tag, matching).where(present(thread_tag))
    return select


@router.get("", operation_id="list_threads", summary="List threads")
async def list_threads(
    me: Reader,
    commands: Commanding,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(THREAD_LIST)],
    sort: Annotated[
        Literal["newest", "active"], Query(description="By when it was opened, or when somebody spoke last.")
    ] = "newest",
    channel: Annotated[UUID | None, Query(description="Only those in this channel.")] = None,
    author: Annotated[
        UUID | Literal["me"] | None, Query(description="Only those of this member; `me` is the caller.")
    ] = None,
    tag: Annotated[
        Annotated[str, AfterValidator(normal)] | None,
        Query(description="Only those under this tag, in any case and composition.", max_length=SENT),
    ] = None,
) -> Listing[ThreadAnswer]:
    """Those that were not deleted. Spoken counts as opened, replied or commented."""
    select = threads_of(
        me.community.id,
        channel=channel,
        author=me.id if author == "me" else author,
        tag=tag,
    )
    rows, following = await page(db, select, ACTIVE if sort == "active" else NEWEST, paging, [thread.text_ref])
    items = await show_all(rows, me.community.id, commands.vault)
    return Listing(items=items, next=following, freshness=freshness)
