"""Any command of the content service may be retried at will: what it did once, it does not do again."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.content.acceptance import domain as acceptance
from services.content.authorship import Revision
from services.content.channels import domain as channels
from services.content.channels.domain import Channel
from services.content.comments import domain as comments
from services.content.comments.domain import CommentTarget
from services.content.replies import domain as replies
from services.content.replies.domain import Reply
from services.content.threads import domain as threads
from services.content.threads.domain import Thread
from shared.events.history import Occurrence
from tests.content.samples import (
    ALICE,
    BOB,
    CHANNEL_ARCHIVED,
    CHANNEL_OF_MODERATORS,
    CHANNEL_OPEN,
    GARDENING,
    MODERATOR,
    NOBODY,
    OTHER_REPLY,
    REPLY_GONE,
    REPLY_OPEN,
    ROSES,
    SHADE,
    THREAD_GONE,
    THREAD_OPEN,
    WATER,
    WHEN,
    words,
)
from tests.repeatable import Command, assert_repeatable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
actors = st.sampled_from([ALICE, BOB, MODERATOR, NOBODY])
texts = st.builds(words, st.integers(1, 4))
maybe_texts = st.none() | texts
revisions = st.none() | st.builds(Revision, maybe_texts, texts)
labels = st.sampled_from([(), ("roses",), ("roses", "soil")])
channel_states = st.sampled_from([Channel(), CHANNEL_OPEN, CHANNEL_ARCHIVED, CHANNEL_OF_MODERATORS])
thread_states = st.sampled_from([Thread(), THREAD_OPEN, THREAD_GONE])
reply_states = st.sampled_from([Reply(), REPLY_OPEN, OTHER_REPLY, REPLY_GONE])
given_acceptances = st.builds(Occurrence, st.integers(1, 5), st.just(NOON))

of_channel: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        lambda name, who: lambda s: channels.open_channel(s, GARDENING, name, who, ""),
        st.sampled_from(["Gardening", "Plants"]),
        st.sampled_from(["members", "moderators"]),
    ),
    st.builds(lambda name: lambda s: channels.rename(s, name), st.sampled_from(["Gardening", "Plants"])),
    st.just(channels.archive),
)
of_thread: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        lambda channel, by, text, tags: lambda s: threads.open_thread(s, ROSES, channel, by, text, tags),
        channel_states,
        actors,
        maybe_texts,
        labels,
    ),
    st.builds(
        lambda by, revision, tags: lambda s: threads.edit(s, by, revision, tags), actors, revisions, st.none() | labels
    ),
    st.builds(lambda by: lambda s: threads.delete(s, by), actors),
    st.builds(
        lambda reply, by, earlier: lambda s: acceptance.accept(s, reply, by, earlier),
        reply_states,
        actors,
        given_acceptances,
    ),
    st.builds(lambda by, earlier: lambda s: acceptance.withdraw(s, by, earlier), actors, given_acceptances),
    st.builds(
        lambda reply, earlier: lambda s: acceptance.withdraw_from(s, reply, earlier),
        st.sampled_from([WATER, SHADE]),
        given_acceptances,
    ),
)
of_reply: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        lambda thread, channel, by, text: lambda s: replies.post(s, WATER, thread, channel, by, text),
        thread_states,
        channel_states,
        actors,
        maybe_texts,
    ),
    st.builds(lambda by, revision: lambda s: replies.edit(s, by, revision), actors, revisions),
    st.builds(lambda by: lambda s: replies.delete(s, by), actors),
)
places = st.builds(CommentTarget, channel_states, thread_states, st.none() | reply_states)
of_comment: st.SearchStrategy[Command] = st.one_of(
    st.builds(lambda place, by, text: lambda s: comments.post(s, WHEN, place, by, text), places, actors, maybe_texts),
    st.builds(lambda by, revision: lambda s: comments.edit(s, by, revision), actors, revisions),
    st.builds(lambda by: lambda s: comments.delete(s, by), actors),
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
