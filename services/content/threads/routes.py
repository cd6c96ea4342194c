"""Threads over HTTP: open, show, edit, delete."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import AfterValidator, Field

from services.content.actors import actor
from services.content.bodies import BODY, IMPORTED_BODY, TITLE, BodyText, edit_of, words_for
from services.content.channels.domain import CHANNEL
from services.content.events import ThreadOpened
from services.content.tags import MOST, SENT, normal, normalised
from services.content.threads.domain import THREAD, delete, edit, takes_threads
from services.content.threads.tagging import retagged
from services.content.threads.thread import EXAMPLE, ThreadAnswer, show
from shared.web.access.permissions import Contributor, Participant, Reader
from shared.web.dependencies import Commanding, Db, IfMatch
from shared.web.fields import Body, name, words
from shared.web.vault_text import create

router = APIRouter(prefix="/threads", tags=["threads"])

MOST_SENT = 50
"""Tags of a request: more than stand on any thread, each maybe in several spellings."""

ThreadPath = Annotated[UUID, Path(description="A thread's id.", examples=[EXAMPLE["id"]])]

Title = Annotated[str, name(TITLE)]
Prose = Annotated[str, words(BODY)]
ProseChange = Annotated[
    str,
    words(IMPORTED_BODY),
    Field(description=f"At most {BODY:,} characters, or as many as stand where those are more."),
]
TagsChange = Annotated[
    list[Annotated[str, Field(max_length=SENT)]],
    Field(max_length=MOST_SENT, description="As when it is opened; what stands already may stay."),
]
Tags = Annotated[
    list[Annotated[str, Field(max_length=SENT), AfterValidator(normal)]],
    Field(
        max_length=2 * MOST,
        description="At most ten words of 1 to 50 letters and digits of any living script and - _ . + #, and between "
        "letters ' : · ֊ ״ ‧ ゠ ・; kept folded, so that one word in any case and composition is one tag.",
    ),
    AfterValidator(normalised),
]


class NewThread(Body, example={name: EXAMPLE[name] for name in ("channel_id", "title", "body", "tags")}):
    channel_id: UUID
    title: Title
    body: Prose
    tags: Tags = Field(default_factory=list)


class ThreadChange(Body, example={"title": "When to prune young roses?"}):
    """What is left out stays as it is."""

    title: Title | None = None
    body: ProseChange | None = None
    tags: TagsChange | None = None


@router.post("", status_code=201, operation_id="open_thread", summary="Open a thread")
async def post_thread(body: NewThread, me: Contributor, commands: Commanding, db: Db) -> ThreadAnswer:
    """In a channel that is not archived."""
    at, thread_id = me.community.id, commands.new_id()
    sent = words_for(at, me.id, thread_id, BodyText(body.title, body.body))
    opened = ThreadOpened(thread_id, body.channel_id, me.id, sent.text, tuple(body.tags))
    found = await create(
        commands,
        THREAD,
        thread_id,
        opened,
        sent,
        lambda channel: takes_threads(channel, actor(me)),
        on=[(CHANNEL, body.channel_id)],
        below="threads",
    )
    return await show(found, commands, db)


@router.get("/{thread_id}", operation_id="get_thread", summary="Show a thread")
async def get_thread(thread_id: ThreadPath, me: Reader, commands: Commanding, db: Db) -> ThreadAnswer:
    """A deleted one, too, without its words."""
    return await show(await commands.get(THREAD, thread_id), commands, db)


@router.patch("/{thread_id}", operation_id="edit_thread", summary="Edit a thread")
async def patch_thread(
    thread_id: ThreadPath,
    body: ThreadChange,
    me: Contributor,
    commands: Commanding,
    db: Db,
    expect: IfMatch,
) -> ThreadAnswer:
    """By its author or a moderator."""
    state = (await commands.get(THREAD, thread_id)).state
    new = await edit_of(commands.vault, me.community.id, state.author_id, state.text, title=body.title, body=body.body)
    tags = None if body.tags is None else retagged(body.tags, state.tags)
    edited = await commands.change(
        THREAD,
        thread_id,
        lambda state: edit(state, actor(me), new.revision, tags),
        secrets=new.secrets,
        expect=expect,
    )
    return await show(edited, commands, db)


@router.delete("/{thread_id}", status_code=204, operation_id="delete_thread", summary="Delete a thread")
async def delete_thread(thread_id: ThreadPath, me: Participant, commands: Commanding, expect: IfMatch) -> None:
    """By its author or a moderator, for good: lists leave it out, and its words are shown to nobody.

    Also by an author who has left, and in an archived community.
    """
    delete((await commands.get(THREAD, thread_id)).state, actor(me))  # whose it is comes before the version it is at
    await commands.change(THREAD, thread_id, lambda state: delete(state, actor(me)), expect=expect)
