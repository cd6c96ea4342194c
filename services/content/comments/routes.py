"""Comments over HTTP: post on a thread or reply, list there, show, edit, delete."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Path

from services.content.actors import actor
from services.content.bodies import BodyText, edit_of, words_for
from services.content.channels.domain import CHANNEL
from services.content.comments import domain as comment
from services.content.comments.comment import AS_SHOWN, EXAMPLE, CommentAnswer, show, show_all
from services.content.comments.domain import COMMENT, delete, edit, takes_comments
from services.content.read_models.discussion import DISCUSSION, comment_list
from services.content.replies.domain import REPLY, Reply
from services.content.replies.routes import ReplyPath
from services.content.threads.domain import THREAD, Thread
from services.content.threads.routes import Prose, ProseChange, ThreadPath
from shared.commands.decisions import Basis
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.web.access.permissions import CallerInCommunity, Contributor, Participant, Reader
from shared.web.dependencies import Commanding, Db, IfMatch, fresh
from shared.web.fields import Body
from shared.web.paging import Listing, Page, PageRequest, SortOrder, page
from shared.web.queries import Queries
from shared.web.request_commands import RequestCommands
from shared.web.vault_text import create

router = APIRouter(tags=["comments"])

CommentPath = Annotated[UUID, Path(description="A comment's id.", examples=[EXAMPLE["id"]])]

OLDEST: SortOrder = [(comment_list.c.posted_at, "asc"), (comment_list.c.comment, "asc")]


class NewComment(Body, example={"body": EXAMPLE["body"]}):
    body: Prose


class CommentChange(Body, example={"body": "Also after a mild winter like this one?"}):
    body: ProseChange


@router.get(
    "/threads/{thread_id}/comments", operation_id="list_thread_comments", summary="List the comments on a thread"
)
async def list_thread_comments(
    thread_id: ThreadPath,
    me: Reader,
    commands: Commanding,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(DISCUSSION)],
) -> Listing[CommentAnswer]:
    """On the thread itself, in the order in which they came; those on its replies are listed there."""
    await commands.get(THREAD, thread_id)
    return await _comments_on(thread_id, me, commands, db, paging, freshness)


@router.get("/replies/{reply_id}/comments", operation_id="list_reply_comments", summary="List the comments on a reply")
async def list_reply_comments(
    reply_id: ReplyPath,
    me: Reader,
    commands: Commanding,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(DISCUSSION)],
) -> Listing[CommentAnswer]:
    """In the order in which they came."""
    await commands.get(REPLY, reply_id)
    return await _comments_on(reply_id, me, commands, db, paging, freshness)


async def _comments_on(
    target: UUID,
    me: CallerInCommunity,
    commands: RequestCommands,
    db: Queries,
    paging: PageRequest,
    freshness: Freshness,
) -> Listing[CommentAnswer]:
    at, row = me.community.id, comment_list.c
    select = sa.select(*AS_SHOWN).where(present(comment_list), row.community == at, row.target == target)
    rows, following = await page(db, select, OLDEST, paging, [row.text_ref])
    return Listing(items=await show_all(rows, at, commands.vault), next=following, freshness=freshness)


@router.post(
    "/threads/{thread_id}/comments", status_code=201, operation_id="comment_on_thread", summary="Comment on a thread"
)
async def comment_on_thread(
    thread_id: ThreadPath, body: NewComment, me: Contributor, commands: Commanding
) -> CommentAnswer:
    return await _comment((await commands.get(THREAD, thread_id)).state, None, body, me, commands)


@router.post(
    "/replies/{reply_id}/comments", status_code=201, operation_id="comment_on_reply", summary="Comment on a reply"
)
async def comment_on_reply(
    reply_id: ReplyPath, body: NewComment, me: Contributor, commands: Commanding
) -> CommentAnswer:
    reply = (await commands.get(REPLY, reply_id)).state
    return await _comment((await commands.get(THREAD, reply.thread_id)).state, reply, body, me, commands)


async def _comment(
    thread: Thread, reply: Reply | None, body: NewComment, me: CallerInCommunity, commands: RequestCommands
) -> CommentAnswer:
    comment_id = commands.new_id()
    sent = words_for(me.community.id, me.id, comment_id, BodyText(body=body.body))
    on: list[Basis] = [(CHANNEL, thread.channel_id), (THREAD, thread.id)]
    if reply is not None:
        on.append((REPLY, reply.id))
    posted = await create(
        commands,
        COMMENT,
        comment_id,
        comment.on(comment_id, reply or thread, me.id, sent.text),
        sent,
        takes_comments,
        on=on,
        below="comments",
    )
    return await show(posted, commands)


@router.get("/comments/{comment_id}", operation_id="get_comment", summary="Show a comment")
async def get_comment(comment_id: CommentPath, me: Reader, commands: Commanding) -> CommentAnswer:
    """A deleted one, too, without its words."""
    return await show(await commands.get(COMMENT, comment_id), commands)


@router.patch("/comments/{comment_id}", operation_id="edit_comment", summary="Edit a comment")
async def patch_comment(
    comment_id: CommentPath, body: CommentChange, me: Contributor, commands: Commanding, expect: IfMatch
) -> CommentAnswer:
    """By its author or a moderator."""
    state = (await commands.get(COMMENT, comment_id)).state
    new = await edit_of(commands.vault, me.community.id, state.author_id, state.text, body=body.body)
    edited = await commands.change(
        COMMENT, comment_id, lambda state: edit(state, actor(me), new.revision), secrets=new.secrets, expect=expect
    )
    return await show(edited, commands)


@router.delete("/comments/{comment_id}", status_code=204, operation_id="delete_comment", summary="Delete a comment")
async def delete_comment(comment_id: CommentPath, me: Participant, commands: Commanding, expect: IfMatch) -> None:
    """By its author or a moderator, for good; also by an author who has left, and in an archived community."""
    delete((await commands.get(COMMENT, comment_id)).state, actor(me))  # whose it is comes before the version it is at
    await commands.change(COMMENT, comment_id, lambda state: delete(state, actor(me)), expect=expect)
