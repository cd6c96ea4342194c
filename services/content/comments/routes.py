"""Comments over HTTP: post on a thread or reply, list there, show, edit, delete."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import ConfigDict

from services.content.actors import actor
from services.content.channels.domain import CHANNEL
from services.content.comments.comment import EXAMPLE, CommentAnswer, show, show_rows
from services.content.comments.domain import COMMENT, Place, delete, edit, existing, post
from services.content.replies.domain import REPLY
from services.content.replies.domain import existing as existing_reply
from services.content.replies.routes import ReplyPath
from services.content.threads.domain import THREAD
from services.content.threads.domain import existing as existing_thread
from services.content.threads.routes import Prose, ProseChange, ThreadPath
from services.content.views.discussion import DISCUSSION, comment_list
from services.content.wording import Wording, edit_of, words_for
from shared.access.permissions import Contributor, Here, Participant, Reader
from shared.commands import Basis
from shared.http.dependencies import Commanding, Db, IfMatch, Store, fresh
from shared.http.paging import Listing, Order, Page, PageRequest, page
from shared.http.reading import Reading
from shared.http.wording import begin
from shared.http.words import Body
from shared.views.freshness import Freshness
from shared.views.view import present

router = APIRouter(tags=["comments"])

CommentPath = Annotated[UUID, Path(description="A comment's id.", examples=[EXAMPLE["id"]])]

OLDEST: Order = [(comment_list.c.posted_at, "asc"), (comment_list.c.comment, "asc")]


class NewComment(Body):
    body: Prose

    model_config = ConfigDict(json_schema_extra={"examples": [{"body": EXAMPLE["body"]}]})


class CommentChange(Body):
    body: ProseChange

    model_config = ConfigDict(json_schema_extra={"examples": [{"body": "Also after a mild winter like this one?"}]})


@router.get(
    "/threads/{thread_id}/comments", operation_id="list_thread_comments", summary="List the comments on a thread"
)
async def list_thread_comments(
    thread_id: ThreadPath,
    here: Reader,
    store: Commanding,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(DISCUSSION)],
) -> Listing[CommentAnswer]:
    """On the thread itself, in the order in which they came; those on its replies are listed there."""
    existing_thread((await store.load(THREAD, thread_id)).state)
    return await _comments_on(thread_id, here, store, db, paging, freshness)


@router.get("/replies/{reply_id}/comments", operation_id="list_reply_comments", summary="List the comments on a reply")
async def list_reply_comments(
    reply_id: ReplyPath,
    here: Reader,
    store: Commanding,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(DISCUSSION)],
) -> Listing[CommentAnswer]:
    """In the order in which they came."""
    existing_reply((await store.load(REPLY, reply_id)).state)
    return await _comments_on(reply_id, here, store, db, paging, freshness)


async def _comments_on(
    target: UUID, here: Here, store: Store, db: Reading, paging: PageRequest, freshness: Freshness
) -> Listing[CommentAnswer]:
    at, row = here.community.id, comment_list.c
    select = comment_list.select().where(present(comment_list), row.community == at, row.target == target)
    rows, following = await page(db, select, OLDEST, paging)
    return Listing(items=await show_rows(rows, at, store.vault), next=following, freshness=freshness)


@router.post(
    "/threads/{thread_id}/comments", status_code=201, operation_id="comment_on_thread", summary="Comment on a thread"
)
async def comment_on_thread(
    thread_id: ThreadPath, body: NewComment, here: Contributor, store: Commanding
) -> CommentAnswer:
    """With an `Idempotency-Key`, a repetition finds what the first try posted."""
    return await _comment(thread_id, None, body, here, store)


@router.post(
    "/replies/{reply_id}/comments", status_code=201, operation_id="comment_on_reply", summary="Comment on a reply"
)
async def comment_on_reply(
    reply_id: ReplyPath, body: NewComment, here: Contributor, store: Commanding
) -> CommentAnswer:
    """With an `Idempotency-Key`, a repetition finds what the first try posted."""
    reply = (await store.load(REPLY, reply_id)).state
    return await _comment(existing_reply(reply).thread_id, reply_id, body, here, store)


async def _comment(thread_id: UUID, reply_id: UUID | None, body: NewComment, here: Here, store: Store) -> CommentAnswer:
    comment_id, thread = store.new_id(), (await store.load(THREAD, thread_id)).state
    sent = words_for(here.community.id, here.id, comment_id, Wording(body=body.body))
    on: list[Basis] = [(CHANNEL, existing_thread(thread).channel_id), (THREAD, thread_id)]
    if reply_id is not None:
        on.append((REPLY, reply_id))
    posted = await begin(
        store,
        COMMENT,
        comment_id,
        lambda state, *place: post(state, comment_id, Place(*place), actor(here), sent.text),
        sent,
        on=on,
    )
    shown = await show(posted, store)
    store.created("comments", comment_id)
    return shown


@router.get("/comments/{comment_id}", operation_id="get_comment", summary="Show a comment")
async def get_comment(comment_id: CommentPath, here: Reader, store: Commanding) -> CommentAnswer:
    """A deleted one, too, without its words."""
    return await show(await store.load(COMMENT, comment_id), store)


@router.patch("/comments/{comment_id}", operation_id="edit_comment", summary="Edit a comment")
async def patch_comment(
    comment_id: CommentPath, body: CommentChange, here: Contributor, store: Commanding, expect: IfMatch
) -> CommentAnswer:
    """By its author or a moderator. With an `Idempotency-Key`, a repetition changes nothing."""
    state = (await store.load(COMMENT, comment_id)).state
    author = existing(state).author_id
    new = await edit_of(store.vault, here.community.id, author, state.text, store.new_id(), body=body.body)
    edited = await store.execute(
        COMMENT, comment_id, lambda state: edit(state, actor(here), new.revision), secrets=new.secrets, expect=expect
    )
    return await show(edited, store)


@router.delete("/comments/{comment_id}", status_code=204, operation_id="delete_comment", summary="Delete a comment")
async def delete_comment(comment_id: CommentPath, here: Participant, store: Commanding, expect: IfMatch) -> None:
    """By its author or a moderator, for good; also by an author who has left, and in an archived community."""
    delete((await store.load(COMMENT, comment_id)).state, actor(here))  # whose it is comes before the version it is at
    await store.execute(COMMENT, comment_id, lambda state: delete(state, actor(here)), expect=expect)
