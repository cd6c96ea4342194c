"""What a backfill may bring in: channels, threads, replies, comments, accepted answers; with their words or without.

Ids follow from the source's ids. What happened elsewhere was allowed there, so lines act with a moderator's power.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from services.content.acceptance.domain import accept
from services.content.channels.domain import CHANNEL, Channel, Posting, open_channel
from services.content.comments.domain import COMMENT, Comment, Place, post
from services.content.events import AnswerAccepted
from services.content.replies.domain import REPLY, Reply
from services.content.replies.domain import post as post_reply
from services.content.tags import normalised
from services.content.texts import Actor
from services.content.threads.domain import THREAD, Thread, existing, open_thread
from services.content.wording import TITLE, Wording, words_for
from shared.backfill.command import BackfillCommand, Line, LineContext, Source
from shared.commands import Outcome
from shared.http.wording import Draft
from shared.http.words import brought_in, name, words

BODY = 150_000
"""More than a member may write here (`wording.BODY`): other systems keep their markup in the text."""

Name = Annotated[Annotated[str, name(100)] | None, brought_in()]
Title = Annotated[Annotated[str, name(TITLE)] | None, brought_in()]
Prose = Annotated[str, words(BODY)] | None


class ChannelLine(Line):
    """A channel was opened; its `source` is what threads name as their `channel`, and its name where none shows."""

    command: Literal["open-channel"]
    name: Name
    purpose: Annotated[str, words(1_000)] | None = None
    posting: Posting = "members"


class ThreadLine(Line):
    """`subject` opened a thread then."""

    command: Literal["open-thread"]
    channel: Source = Field(description="The channel's own `source`.")
    title: Title = None
    body: Prose = None
    tags: Annotated[list[str], Field(max_length=50), AfterValidator(normalised)] = Field(default_factory=list)


class ReplyLine(Line):
    """`subject` replied then."""

    command: Literal["post-reply"]
    thread: Source = Field(description="The thread's own `source`.")
    title: Title = None
    body: Prose = None


class CommentLine(Line):
    """`subject` commented then."""

    command: Literal["post-comment"]
    target: Source = Field(description="The own `source` of what it stands on.")
    target_kind: Literal["thread", "reply"]
    body: Prose = None


class AcceptanceLine(Line):
    """`subject` accepted an answer then; another that was accepted before is withdrawn."""

    command: Literal["accept-answer"]
    thread: Source = Field(description="The thread's own `source`.")
    reply: Source = Field(description="The reply's own `source`.")


def _actor(context: LineContext) -> Actor:
    return Actor(context.member, moderates=True)


def _draft(context: LineContext, stream: UUID, wording: Wording) -> Draft:
    return words_for(context.community.id, context.member, stream, wording)


def _channel_id(context: LineContext, line: ChannelLine) -> UUID:
    return context.id("channel", line.source)


async def _open_channel(context: LineContext, line: ChannelLine) -> Outcome[Channel]:
    channel_id, called, purpose = _channel_id(context, line), line.name or line.source[:100], line.purpose or ""
    return await context.execute(
        CHANNEL, channel_id, lambda state: open_channel(state, channel_id, called, line.posting, purpose)
    )


def _thread_id(context: LineContext, line: ThreadLine) -> UUID:
    return context.id("thread", line.source)


async def _open_thread(context: LineContext, line: ThreadLine) -> Outcome[Thread]:
    thread_id = _thread_id(context, line)
    channel = (await context.load(CHANNEL, context.id("channel", line.channel))).state
    sent = _draft(context, thread_id, Wording(line.title, line.body))
    return await context.execute(
        THREAD,
        thread_id,
        lambda state: open_thread(state, thread_id, channel, _actor(context), sent.text, tuple(line.tags)),
        secrets=sent.secrets,
    )


def _reply_id(context: LineContext, line: ReplyLine) -> UUID:
    return context.id("reply", line.source)


async def _post_reply(context: LineContext, line: ReplyLine) -> Outcome[Reply]:
    reply_id = _reply_id(context, line)
    thread, channel = await _thread(context, context.id("thread", line.thread))
    sent = _draft(context, reply_id, Wording(line.title, line.body))
    return await context.execute(
        REPLY,
        reply_id,
        lambda state: post_reply(state, reply_id, thread, channel, _actor(context), sent.text),
        secrets=sent.secrets,
    )


def _comment_id(context: LineContext, line: CommentLine) -> UUID:
    return context.id("comment", line.source)


async def _post_comment(context: LineContext, line: CommentLine) -> Outcome[Comment]:
    comment_id = _comment_id(context, line)
    target, reply = context.id(line.target_kind, line.target), None
    if line.target_kind == "reply":
        reply = (await context.load(REPLY, target)).state
        thread_id = reply.posted.thread_id if reply.posted else target
    else:
        thread_id = target
    thread, channel = await _thread(context, thread_id)
    place = Place(channel, thread, reply)
    sent = _draft(context, comment_id, Wording(body=line.body))
    return await context.execute(
        COMMENT,
        comment_id,
        lambda state: post(state, comment_id, place, _actor(context), sent.text),
        secrets=sent.secrets,
    )


async def _thread(context: LineContext, thread_id: UUID) -> tuple[Thread, Channel]:
    """A thread and its channel. Raises `NotFound`, which an earlier line that is still under way may heal."""
    thread = (await context.load(THREAD, thread_id)).state
    channel = (await context.load(CHANNEL, existing(thread).channel_id)).state
    return thread, channel


def _accepting_thread_id(context: LineContext, line: AcceptanceLine) -> UUID:
    return context.id("thread", line.thread)


async def _accept(context: LineContext, line: AcceptanceLine) -> Outcome[Thread]:
    thread_id, reply_id = _accepting_thread_id(context, line), context.id("reply", line.reply)
    thread = await context.load(THREAD, thread_id)
    existing(thread.state)
    if any(event.reply_id == reply_id for event in await context.happened(thread_id, AnswerAccepted)):
        return thread  # even where another was accepted since
    reply, given = (await context.load(REPLY, reply_id)).state, thread.history.last_occasion(AnswerAccepted)
    return await context.execute(THREAD, thread_id, lambda state: accept(state, reply, _actor(context), given))


BACKFILL = (
    BackfillCommand("open-channel", ChannelLine, _channel_id, _open_channel),
    BackfillCommand("open-thread", ThreadLine, _thread_id, _open_thread),
    BackfillCommand("post-reply", ReplyLine, _reply_id, _post_reply),
    BackfillCommand("post-comment", CommentLine, _comment_id, _post_comment),
    BackfillCommand("accept-answer", AcceptanceLine, _accepting_thread_id, _accept),
)
