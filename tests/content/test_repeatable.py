"""Any command of the content service may be retried at will: what it did once, it does not do again."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from services.content.acceptance import domain as acceptance
from services.content.authorship import Revision
from services.content.channels import domain as channels
from services.content.comments import domain as comments
from services.content.replies import domain as replies
from services.content.threads import domain as threads
from shared.commands.decisions import change
from tests.content.samples import (
    ALICE,
    ANSWERED,
    ASKED,
    BOB,
    CHANNEL_ARCHIVED,
    CHANNEL_OF_MODERATORS,
    CHANNEL_OPEN,
    MODERATOR,
    NOBODY,
    OPENED,
    OTHER_REPLY,
    REMARKED,
    REPLY_GONE,
    REPLY_OPEN,
    SHADE,
    THREAD_GONE,
    THREAD_OPEN,
    WATER,
    words,
)
from tests.repeatable import Command, assert_repeatable, begins

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
actors = st.sampled_from([ALICE, BOB, MODERATOR, NOBODY])
texts = st.builds(words, st.integers(1, 4))
maybe_texts = st.none() | texts
revisions = st.none() | st.builds(Revision, maybe_texts, texts)
labels = st.sampled_from([(), ("roses",), ("roses", "soil")])
channel_states = st.sampled_from([None, CHANNEL_OPEN, CHANNEL_ARCHIVED, CHANNEL_OF_MODERATORS])
thread_states = st.sampled_from([None, THREAD_OPEN, THREAD_GONE])
reply_states = st.sampled_from([None, REPLY_OPEN, OTHER_REPLY, REPLY_GONE])

channel_changes: st.SearchStrategy[Command] = st.one_of(
    st.builds(lambda name: lambda s: channels.rename(s, name), st.sampled_from(["Gardening", "Plants"])),
    st.just(channels.archive),
)
thread_changes: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        lambda by, revision, tags: lambda s: threads.edit(s, by, revision, tags), actors, revisions, st.none() | labels
    ),
    st.builds(lambda by: lambda s: threads.delete(s, by), actors),
    st.builds(lambda reply, by: lambda s: acceptance.accept(s, reply, by), reply_states, actors),
    st.builds(lambda by: lambda s: acceptance.withdraw(s, by), actors),
    st.builds(lambda reply: lambda s: acceptance.withdraw_from(s, reply), st.sampled_from([WATER, SHADE])),
)
reply_changes: st.SearchStrategy[Command] = st.one_of(
    st.builds(lambda by, revision: lambda s: replies.edit(s, by, revision), actors, revisions),
    st.builds(lambda by: lambda s: replies.delete(s, by), actors),
)
comment_changes: st.SearchStrategy[Command] = st.one_of(
    st.builds(lambda by, revision: lambda s: comments.edit(s, by, revision), actors, revisions),
    st.builds(lambda by: lambda s: comments.delete(s, by), actors),
)

of_channel = st.just(begins(OPENED)) | channel_changes.map(partial(change, channels.CHANNEL))
of_thread = st.one_of(
    st.builds(lambda channel, by: begins(ASKED, threads.takes_threads, channel, by), channel_states, actors),
    thread_changes.map(partial(change, threads.THREAD)),
)
of_reply = st.one_of(
    st.builds(lambda *on: begins(ANSWERED, threads.takes_replies, *on), thread_states, channel_states),
    reply_changes.map(partial(change, replies.REPLY)),
)
of_comment = st.one_of(
    st.builds(lambda *on: begins(REMARKED, comments.takes_comments, *on), channel_states, thread_states, reply_states),
    comment_changes.map(partial(change, comments.COMMENT)),
)


@given(st.lists(of_channel, max_size=12))
def test_every_command_on_a_channel_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(channels.CHANNEL, commands)


@given(st.lists(of_thread, max_size=12))
def test_every_command_on_a_thread_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(threads.THREAD, commands)


@given(st.lists(of_reply, max_size=12))
def test_every_command_on_a_reply_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(replies.REPLY, commands)


@given(st.lists(of_comment, max_size=12))
def test_every_command_on_a_comment_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(comments.COMMENT, commands)
