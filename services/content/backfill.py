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
from services.content.channels.domain import CHANNEL, Channel, Posting, open_channel
from services.content.comments.domain import COMMENT, Comment, CommentTarget, post
from services.content.editions import edit_channel, edit_comment, edit_reply, edit_thread, fitting
from services.content.events import (
    AcceptanceWithdrawn,
    AnswerAccepted,
    ChannelArchived,
    ChannelDescribed,
    ChannelRenamed,
    CommentEdited,
    ReplyDeleted,
    ReplyEdited,
    ThreadDeleted,
    ThreadEdited,
)
from services.content.replies.domain import REPLY, Reply
from services.content.replies.domain import post as post_reply
from services.content.threads.domain import THREAD, Thread, existing, open_thread
from shared.commands.commands import Outcome
from shared.web.backfill.command import BackfillCommand, DatedLine, Line, LineContext, Source
from shared.web.backfill.optional_parts import OrNothing, brought_in, shortened
from shared.web.fields import name, words
from shared.web.vault_text import Draft

Name = Annotated[Annotated[str, name(100), shortened(100)] | None, brought_in()]
Title = Annotated[Annotated[str, name(TITLE), shortened(TITLE)] | None, OrNothing, brought_in()]
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
    channel_id, called, purpose = _channel_id(context, line), line.name or line.source[:100], line.purpose or ""
    found = await context.load(CHANNEL, channel_id)
    if found.state.opened is not None:
        return await edit_channel(context, found, line.name, line.purpose, line.edited)
    return await context.begin(
        CHANNEL,
        channel_id,
        lambda state: open_channel(state, channel_id, called, line.posting, purpose, line.edited),
    )


def _thread_id(context: LineContext, line: ThreadLine) -> UUID:
    return context.id("thread", line.source)


async def _open_thread(context: LineContext, line: ThreadLine) -> Outcome[Thread]:
    thread_id, body_text = _thread_id(context, line), BodyText(line.title, line.body)
    tags = None if line.tags is None else tuple(line.tags)
    found = await context.load(THREAD, thread_id)
    if found.state.opened is not None:
        return await edit_thread(context, found, body_text, tags, line.edited)
    channel = await _channel(context, context.id("channel", line.channel))
    sent, by = _draft(context, thread_id, body_text), _actor(context)
    return await context.begin(
        THREAD,
        thread_id,
        lambda state: open_thread(state, thread_id, channel, by, sent.text, tags or (), line.edited),
        secrets=sent.secrets,
    )


def _reply_id(context: LineContext, line: ReplyLine) -> UUID:
    return context.id("reply", line.source)


async def _post_reply(context: LineContext, line: ReplyLine) -> Outcome[Reply]:
    reply_id, body_text = _reply_id(context, line), BodyText(line.title, line.body)
    found = await context.load(REPLY, reply_id)
    if found.state.posted is not None:
        return await edit_reply(context, found, body_text, line.edited)
    thread, channel = await _thread(context, context.id("thread", line.thread))
    sent, by = _draft(context, reply_id, body_text), _actor(context)
    return await context.begin(
        REPLY,
        reply_id,
        lambda state: post_reply(state, reply_id, thread, channel, by, sent.text, line.edited),
        secrets=sent.secrets,
    )


def _comment_id(context: LineContext, line: CommentLine) -> UUID:
    return context.id("comment", line.source)


async def _post_comment(context: LineContext, line: CommentLine) -> Outcome[Comment]:
    comment_id, body_text = _comment_id(context, line), BodyText(body=line.body)
    found = await context.load(COMMENT, comment_id)
    if found.state.posted is not None:
        return await edit_comment(context, found, body_text, line.edited)
    place = await _place(context, line)
    sent, by = _draft(context, comment_id, body_text), _actor(context)
    return await context.begin(
        COMMENT,
        comment_id,
        lambda state: post(state, comment_id, place, by, sent.text, line.edited),
        secrets=sent.secrets,
    )


async def _place(context: LineContext, line: CommentLine) -> CommentTarget:
    """What a comment stood on, as it was then."""
    thread_id, reply = context.id(line.target_kind, line.target), None
    if line.target_kind == "reply":
        reply = await _reply(context, thread_id)
        thread_id = reply.posted.thread_id if reply.posted else thread_id
    thread, channel = await _thread(context, thread_id)
    return CommentTarget(channel, thread, reply)


async def _thread(context: LineContext, thread_id: UUID) -> tuple[Thread, Channel]:
    """A thread and its channel, as they were then. Raises `NotFound`, which an earlier line that is still under way
    may heal.
    """
    found = await context.load(THREAD, thread_id)
    thread = replace(found.state, deleted=context.had(found, ThreadDeleted))
    return thread, await _channel(context, existing(thread).channel_id)


async def _channel(context: LineContext, channel_id: UUID) -> Channel:
    """A channel as it was then."""
    found = await context.load(CHANNEL, channel_id)
    return replace(found.state, archived=context.had(found, ChannelArchived))


async def _reply(context: LineContext, reply_id: UUID) -> Reply:
    """A reply as it was then."""
    found = await context.load(REPLY, reply_id)
    return replace(found.state, deleted=context.had(found, ReplyDeleted))


def _accepting_thread_id(context: LineContext, line: AcceptanceLine) -> UUID:
    return context.id("thread", line.thread)


async def _accept(context: LineContext, line: AcceptanceLine) -> Outcome[Thread]:
    thread_id, reply_id = _accepting_thread_id(context, line), context.id("reply", line.reply)
    stands = (await context.load(REPLY, reply_id)).state.posted
    if stands is not None and stands.thread_id != thread_id:
        elsewhere = await context.load(THREAD, stands.thread_id)
        if _is_known(context, elsewhere, reply_id) or _was_later(context, elsewhere):
            # A later edition moved the answer under another question; here it stays where it is, with its acceptance.
            return elsewhere
    thread = await context.load(THREAD, thread_id)
    existing(thread.state)
    if not await _is_settled(context, thread, reply_id):
        reply, given = await _reply(context, reply_id), thread.history.last_occasion(AnswerAccepted)
        deleted = context.had(thread, ThreadDeleted)
        thread = await context.execute(
            THREAD,
            thread_id,
            lambda state: accept(replace(state, deleted=deleted), reply, _actor(context), given),
        )
    await _undo_if_deleted(context, thread, thread_id, reply_id)
    return thread


async def _is_settled(context: LineContext, thread: Outcome[Thread], reply_id: UUID) -> bool:
    """Whether the acceptance is known, whatever became of it, or another was given, or withdrawn, later."""
    last = thread.history.last(AnswerAccepted, AcceptanceWithdrawn)
    if last is None or _is_known(context, thread, reply_id):
        return last is not None
    went = thread.state.accepted is None and await _went_with_its_reply(context, thread.state, last.at)
    if last.imported_by is None and not went:
        return context.stays(thread, AnswerAccepted, AcceptanceWithdrawn)
    if _was_later(context, thread):
        return True
    return thread.state.accepted is None and last.at > context.act.occurred_at and not went


def _is_known(context: LineContext, thread: Outcome[Thread], reply_id: UUID) -> bool:
    """Whether it was accepted in the moment in which an acceptance was given last."""
    given = thread.history.last_at(AnswerAccepted)
    return given == context.act.occurred_at and reply_id in thread.state.ever_accepted


def _was_later(context: LineContext, thread: Outcome[Thread]) -> bool:
    """Whether an acceptance was given after the line's time: what was given before is told no more."""
    given = thread.history.last_at(AnswerAccepted)
    return given is not None and given > context.act.occurred_at


async def _went_with_its_reply(context: LineContext, thread: Thread, at: datetime) -> bool:
    """Whether the acceptance that was withdrawn last, then, was withdrawn by nobody, but went with its reply."""
    if thread.withdrawn is None:
        return False
    reply = await context.load(REPLY, thread.withdrawn.reply_id)
    return reply.history.last_at(ReplyDeleted) == at


async def _undo_if_deleted(context: LineContext, thread: Outcome[Thread], thread_id: UUID, reply_id: UUID) -> None:
    """A reply that was deleted since took its acceptance with it, when it was deleted."""
    if thread.state.accepted is None or thread.state.accepted.reply_id != reply_id:
        return
    reply, given = await context.load(REPLY, reply_id), thread.history.last_occasion(AnswerAccepted)
    if reply.state.deleted:
        nobody = replace(context, act=replace(context.act, actor=None))
        at = reply.history.last_at(ReplyDeleted)
        await nobody.edit(THREAD, thread_id, lambda state: withdraw_from(state, reply_id, given), at)


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
