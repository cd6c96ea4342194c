"""Replies over HTTP: post to a thread, list in one, show, edit, delete."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Path

from services.content.acceptance.domain import withdraw_from
from services.content.actors import actor
from services.content.bodies import BodyText, edit_of, words_for
from services.content.channels.domain import CHANNEL
from services.content.events import ReplyPosted
from services.content.read_models.discussion import DISCUSSION, reply_list
from services.content.replies.domain import REPLY, delete, edit
from services.content.replies.reply import AS_SHOWN, EXAMPLE, ReplyAnswer, show, show_all
from services.content.threads.domain import THREAD, takes_replies
from services.content.threads.routes import Prose, ProseChange, ThreadPath
from shared.commands.decisions import StreamDecision, change
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.web.access.permissions import Contributor, Participant, Reader
from shared.web.dependencies import Commanding, Db, IfMatch, fresh
from shared.web.fields import Body
from shared.web.paging import Listing, Page, SortOrder, page
from shared.web.vault_text import create

router = APIRouter(tags=["replies"])

ReplyPath = Annotated[UUID, Path(description="A reply's id.", examples=[EXAMPLE["id"]])]

OLDEST: SortOrder = [(reply_list.c.posted_at, "asc"), (reply_list.c.reply, "asc")]


class NewReply(Body, example={"body": EXAMPLE["body"]}):
    body: Prose


class ReplyChange(Body, example={"body": "In late winter, before the buds open."}):
    body: ProseChange


@router.get("/threads/{thread_id}/replies", operation_id="list_replies", summary="List the replies of a thread")
async def list_replies(
    thread_id: ThreadPath,
    me: Reader,
    commands: Commanding,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(DISCUSSION)],
) -> Listing[ReplyAnswer]:
    """In the order in which they came; deleted ones are left out."""
    at, row = me.community.id, reply_list.c
    thread = (await commands.get(THREAD, thread_id)).state
    select = sa.select(*AS_SHOWN).where(present(reply_list), row.community == at, row.thread == thread_id)
    rows, following = await page(db, select, OLDEST, paging, [row.text_ref])
    items = await show_all(rows, thread, at, commands.vault)
    return Listing(items=items, next=following, freshness=freshness)


@router.post("/threads/{thread_id}/replies", status_code=201, operation_id="post_reply", summary="Reply to a thread")
async def post_reply(
    thread_id: ThreadPath, body: NewReply, me: Contributor, commands: Commanding, db: Db
) -> ReplyAnswer:
    """While thread and channel take it."""
    at, reply_id = me.community.id, commands.new_id()
    thread = (await commands.get(THREAD, thread_id)).state
    sent = words_for(at, me.id, reply_id, BodyText(body=body.body))
    posted = await create(
        commands,
        REPLY,
        reply_id,
        ReplyPosted(reply_id, thread_id, thread.author_id, me.id, sent.text),
        sent,
        takes_replies,
        on=[(THREAD, thread_id), (CHANNEL, thread.channel_id)],
        below="replies",
    )
    return await show(posted, thread, commands, db)


@router.get("/replies/{reply_id}", operation_id="get_reply", summary="Show a reply")
async def get_reply(reply_id: ReplyPath, me: Reader, commands: Commanding, db: Db) -> ReplyAnswer:
    """A deleted one, too, without its words."""
    found = await commands.get(REPLY, reply_id)
    thread = (await commands.get(THREAD, found.state.thread_id)).state
    return await show(found, thread, commands, db)


@router.patch("/replies/{reply_id}", operation_id="edit_reply", summary="Edit a reply")
async def patch_reply(
    reply_id: ReplyPath,
    body: ReplyChange,
    me: Contributor,
    commands: Commanding,
    db: Db,
    expect: IfMatch,
) -> ReplyAnswer:
    """By its author or a moderator."""
    state = (await commands.get(REPLY, reply_id)).state
    thread = (await commands.get(THREAD, state.thread_id)).state
    new = await edit_of(commands.vault, me.community.id, state.author_id, state.text, body=body.body)
    edited = await commands.change(
        REPLY, reply_id, lambda state: edit(state, actor(me), new.revision), secrets=new.secrets, expect=expect
    )
    return await show(edited, thread, commands, db)


@router.delete("/replies/{reply_id}", status_code=204, operation_id="delete_reply", summary="Delete a reply")
async def delete_reply(reply_id: ReplyPath, me: Participant, commands: Commanding, expect: IfMatch) -> None:
    """By its author or a moderator, for good. If it is the accepted answer, the acceptance is withdrawn with it.

    Also by an author who has left, and in an archived community.
    """
    reply = (await commands.get(REPLY, reply_id)).state
    delete(reply, actor(me))  # whose it is comes before the version it is at
    await commands.execute_together(
        [
            StreamDecision(REPLY, reply_id, change(REPLY, lambda state: delete(state, actor(me))), expect),
            StreamDecision(THREAD, reply.thread_id, change(THREAD, lambda state: withdraw_from(state, reply_id))),
        ]
    )
