"""What a backfill may bring in: channels, threads, replies, comments, accepted answers; with their words or without.

Ids follow from the source's ids. What happened elsewhere was allowed there, so lines act with a moderator's power, and
whether something takes them is asked of it as it was then. What is known is edited where a newer edition says so
(`editions.py`), and repeated otherwise.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from services.content.acceptance.domain import accept, withdraw_from
from services.content.authorship import Actor
from services.content.bodies import IMPORTED_BODY, TITLE, BodyText, words_for
from services.content.channels.domain import CHANNEL, Channel, Posting
from services.content.comments import domain as comment
from services.content.comments.domain import COMMENT, Comment, takes_comments
from services.content.editions import edit_channel, edit_comment, edit_reply, edit_thread, fitting
from services.content.events import (
    AcceptanceWithdrawn,
    AnswerAccepted,
    ChannelDescribed,
    ChannelOpened,
    ChannelRenamed,
    CommentEdited,
    ReplyEdited,
    ReplyPosted,
    ThreadEdited,
    ThreadOpened,
)
from services.content.replies.domain import REPLY, Reply
from services.content.threads.domain import THREAD, Thread, ThreadEvent, takes_replies, takes_threads
from shared.commands.outcome import Outcome
from shared.web.backfill.command import BackfillCommand, DatedLine, Line, LineContext, Source
from shared.web.backfill.optional_parts import OrNothing, brought_in, shortened
from shared.web.characters import cleaned
from shared.web.fields import name, words
from shared.web.vault_text import Draft

NAMELESS = "Channel"
"""What a channel is called of which neither name nor source shows."""
Name = Annotated[Annotated[str, name(100), shortened(100)] | None, brought_in(100)]
Title = Annotated[Annotated[str, name(TITLE), shortened(TITLE)] | None, OrNothing, brought_in(TITLE)]
Prose = Annotated[str, words(IMPORTED_BODY)] | None


class ChannelLine(DatedLine):
    """A channel was opened; its `source` is what threads name as their `channel`, and its name where none shows."""

    command: Literal["open-channel"]
    name: Name
    purpose: Annotated[Annotated[str, words(1_000), shortened(1_000)] | None, OrNothing] = None
    posting: Posting = "members"


class ThreadLine(DatedLine):
    """`subject` opened a thread then. Tags that do not fit are left out."""

    command: Literal["open-thread"]
    channel: Source = Field(description="The channel's own `source`.")
    title: Title = None
    body: Prose = None
    tags: Annotated[list[str] | None, BeforeValidator(fitting)] = None


class ReplyLine(DatedLine):
    """`subject` replied then."""

    command: Literal["post-reply"]
    thread: Source = Field(description="The thread's own `source`.")
    title: Title = None
    body: Prose = None


class CommentLine(DatedLine):
    """`subject` commented then."""

    command: Literal["post-comment"]
    target: Source = Field(description="The own `source` of what it stands on.")
    target_kind: Literal["thread", "reply"]
    body: Prose = None


class AcceptanceLine(Line):
    """`subject` accepted an answer then; another that was accepted before is withdrawn. The latest one stands."""

    command: Literal["accept-answer"]
    thread: Source = Field(description="The thread's own `source`.")
    reply: Source = Field(description="The reply's own `source`.")


def _actor(context: LineContext) -> Actor:
    return Actor(context.member, moderates=True)


def _draft(context: LineContext, stream: UUID, body_text: BodyText) -> Draft:
    return words_for(context.community.id, context.member, stream, body_text)


def _channel_id(context: LineContext, line: ChannelLine) -> UUID:
    return context.id("channel", line.source)


async def _open_channel(context: LineContext, line: ChannelLine) -> Outcome[Channel]:
    channel_id, purpose = _channel_id(context, line), line.purpose or ""
    called = line.name or cleaned(line.source[:100]) or NAMELESS
    if (found := await context.find(CHANNEL, channel_id)) is not None:
        return await edit_channel(context, found, line.name, line.purpose, line.edited)
    opened = ChannelOpened(channel_id, called, line.posting, purpose, line.edited)
    return await context.create(CHANNEL, channel_id, opened)


def _thread_id(context: LineContext, line: ThreadLine) -> UUID:
    return context.id("thread", line.source)


async def _open_thread(context: LineContext, line: ThreadLine) -> Outcome[Thread]:
    thread_id, body_text = _thread_id(context, line), BodyText(line.title, line.body)
    tags = None if line.tags is None else tuple(line.tags)
    if (found := await context.find(THREAD, thread_id)) is not None:
        return await edit_thread(context, found, body_text, tags, line.edited)
    channel = await _channel(context, context.id("channel", line.channel))
    takes_threads(channel, _actor(context))
    sent = _draft(context, thread_id, body_text)
    opened = ThreadOpened(thread_id, channel.id, context.member, sent.text, tags or (), line.edited)
    return await context.create(THREAD, thread_id, opened, secrets=sent.secrets)


def _reply_id(context: LineContext, line: ReplyLine) -> UUID:
    return context.id("reply", line.source)


async def _post_reply(context: LineContext, line: ReplyLine) -> Outcome[Reply]:
    reply_id, body_text = _reply_id(context, line), BodyText(line.title, line.body)
    if (found := await context.find(REPLY, reply_id)) is not None:
        return await edit_reply(context, found, body_text, line.edited)
    thread, channel = await _thread(context, context.id("thread", line.thread))
    takes_replies(thread, channel)
    sent = _draft(context, reply_id, body_text)
    posted = ReplyPosted(reply_id, thread.id, thread.author_id, context.member, sent.text, line.edited)
    return await context.create(REPLY, reply_id, posted, secrets=sent.secrets)


def _comment_id(context: LineContext, line: CommentLine) -> UUID:
    return context.id("comment", line.source)


async def _post_comment(context: LineContext, line: CommentLine) -> Outcome[Comment]:
    comment_id, body_text = _comment_id(context, line), BodyText(body=line.body)
    if (found := await context.find(COMMENT, comment_id)) is not None:
        return await edit_comment(context, found, body_text, line.edited)
    thread_id, reply = context.id(line.target_kind, line.target), None
    if line.target_kind == "reply":
        reply = await _reply(context, thread_id)
        thread_id = reply.thread_id
    thread, channel = await _thread(context, thread_id)
    takes_comments(channel, thread, reply)
    sent = _draft(context, comment_id, body_text)
    posted = comment.on(comment_id, reply or thread, context.member, sent.text, line.edited)
    return await context.create(COMMENT, comment_id, posted, secrets=sent.secrets)


async def _thread(context: LineContext, thread_id: UUID) -> tuple[Thread, Channel]:
    """A thread and its channel, as they were then."""
    thread = (await context.get(THREAD, thread_id)).state
    thread = replace(thread, deleted_at=context.by_then(thread.deleted_at))
    return thread, await _channel(context, thread.channel_id)


async def _channel(context: LineContext, channel_id: UUID) -> Channel:
    """A channel as it was then."""
    channel = (await context.get(CHANNEL, channel_id)).state
    return replace(channel, archived_at=context.by_then(channel.archived_at))


async def _reply(context: LineContext, reply_id: UUID) -> Reply:
    """A reply as it was then."""
    reply = (await context.get(REPLY, reply_id)).state
    return replace(reply, deleted_at=context.by_then(reply.deleted_at))


def _accepting_thread_id(context: LineContext, line: AcceptanceLine) -> UUID:
    return context.id("thread", line.thread)


async def _accept(context: LineContext, line: AcceptanceLine) -> Outcome[Thread]:
    thread_id, reply_id = _accepting_thread_id(context, line), context.id("reply", line.reply)
    stands = (await context.load(REPLY, reply_id)).state
    if stands is not None and stands.thread_id != thread_id:
        elsewhere = await context.get(THREAD, stands.thread_id)
        if _is_known(context, elsewhere.state, reply_id) or _was_later(context, elsewhere.state):
            # A later edition moved the answer under another question; here it stays where it is, with its acceptance.
            return elsewhere
    found = await context.get(THREAD, thread_id)
    if not await _is_settled(context, found, reply_id):
        reply = None if stands is None else await _reply(context, reply_id)

        def decide(state: Thread) -> list[ThreadEvent]:
            then = replace(state, deleted_at=context.by_then(state.deleted_at))
            return accept(then, reply, _actor(context))

        found = await context.change(THREAD, thread_id, decide)
    await _undo_if_deleted(context, found.state, reply_id)
    return found


async def _is_settled(context: LineContext, found: Outcome[Thread], reply_id: UUID) -> bool:
    """Whether the acceptance is known, whatever became of it, or another was given, or withdrawn, later."""
    thread, last = found.state, found.state.settled
    if last is None or _is_known(context, thread, reply_id):
        return last is not None
    went = thread.accepted is None and await _went_with_its_reply(context, thread, last.at)
    if last.imported_by is None and not went:
        return context.stays(found, AnswerAccepted, AcceptanceWithdrawn)
    if _was_later(context, thread):
        return True
    return thread.accepted is None and last.at > context.act.occurred_at and not went


def _is_known(context: LineContext, thread: Thread, reply_id: UUID) -> bool:
    """Whether it was accepted in the moment in which an acceptance was given last."""
    return thread.given_at == context.act.occurred_at and reply_id in thread.ever_accepted


def _was_later(context: LineContext, thread: Thread) -> bool:
    """Whether an acceptance was given after the line's time: what was given before is told no more."""
    return thread.given_at is not None and thread.given_at > context.act.occurred_at


async def _went_with_its_reply(context: LineContext, thread: Thread, at: datetime) -> bool:
    """Whether the acceptance that was withdrawn last, then, was withdrawn by nobody, but went with its reply."""
    if thread.withdrawn is None:
        return False
    return (await context.get(REPLY, thread.withdrawn.reply_id)).state.deleted_at == at


async def _undo_if_deleted(context: LineContext, thread: Thread, reply_id: UUID) -> None:
    """A reply that was deleted since took its acceptance with it, when it was deleted."""
    if thread.accepted_reply_id != reply_id:
        return
    reply = (await context.get(REPLY, reply_id)).state
    if reply.deleted:
        await context.edit(THREAD, thread.id, lambda state: withdraw_from(state, reply_id), reply.deleted_at, None)


BACKFILL = (
    BackfillCommand(
        "open-channel",
        ChannelLine,
        _channel_id,
        _open_channel,
        edits=(ChannelRenamed, ChannelDescribed),
        listed=lambda line: None,
    ),
    BackfillCommand(
        "open-thread", ThreadLine, _thread_id, _open_thread, edits=(ThreadEdited,), listed=lambda line: None
    ),
    BackfillCommand(
        "post-reply", ReplyLine, _reply_id, _post_reply, edits=(ReplyEdited,), listed=lambda line: line.thread
    ),
    BackfillCommand(
        "post-comment",
        CommentLine,
        _comment_id,
        _post_comment,
        edits=(CommentEdited,),
        listed=lambda line: (line.target_kind, line.target),
    ),
    BackfillCommand("accept-answer", AcceptanceLine, _accepting_thread_id, _accept),
)
