"""Replies: to a thread that stands, edited and deleted by their author or a moderator."""

from __future__ import annotations

import pytest

from services.content.authorship import Revision
from services.content.channels.domain import Channel
from services.content.events import ReplyEdited, ReplyPosted
from services.content.replies.domain import REPLY, Reply, delete, edit, post
from services.content.threads.domain import Thread
from shared.events.errors import Conflict, Forbidden, KeyReused, NotFound
from tests.content.samples import (
    ALICE,
    ALICE_ID,
    ANSWERED,
    BOB,
    BOB_ID,
    CHANNEL_ARCHIVED,
    CHANNEL_OF_MODERATORS,
    CHANNEL_OPEN,
    MODERATOR,
    NOBODY,
    REPLY_DELETED,
    REPLY_GONE,
    REPLY_OPEN,
    ROSES,
    THREAD_GONE,
    THREAD_OPEN,
    WATER,
    words,
)

BETTER = Revision(words(2), words(7))
EDITED = ReplyEdited(WATER, ROSES, BOB_ID, words(7))


@pytest.mark.parametrize("channel", [CHANNEL_OPEN, CHANNEL_OF_MODERATORS], ids=["of members", "of moderators"])
def test_every_member_replies_in_every_channel(channel: Channel) -> None:
    assert post(Reply(), WATER, THREAD_OPEN, channel, BOB, words(2)) == [ANSWERED]


@pytest.mark.parametrize(
    ("thread", "channel"),
    [(THREAD_GONE, CHANNEL_OPEN), (THREAD_OPEN, CHANNEL_ARCHIVED)],
    ids=["deleted thread", "archived channel"],
)
def test_nobody_replies_to_what_is_closed(thread: Thread, channel: Channel) -> None:
    with pytest.raises(Conflict):
        post(Reply(), WATER, thread, channel, MODERATOR, words(2))


def test_nobody_replies_to_a_thread_that_does_not_exist() -> None:
    with pytest.raises(NotFound):
        post(Reply(), WATER, Thread(), CHANNEL_OPEN, BOB, words(2))


def test_a_reply_posted_again_changes_nothing_even_where_the_thread_was_deleted_since() -> None:
    assert post(REPLY_OPEN, WATER, THREAD_OPEN, CHANNEL_OPEN, BOB, words(2)) == []
    assert post(REPLY.fold([ANSWERED, EDITED]), WATER, THREAD_GONE, CHANNEL_ARCHIVED, BOB, words(2)) == []


def test_an_id_that_is_taken_is_not_given_to_another_reply() -> None:
    with pytest.raises(KeyReused):
        post(REPLY_OPEN, WATER, THREAD_OPEN, CHANNEL_OPEN, ALICE, words(2))
    with pytest.raises(KeyReused):
        post(REPLY_OPEN, WATER, THREAD_OPEN, CHANNEL_OPEN, BOB, words(9))


def test_a_reply_brought_in_may_have_no_author_and_no_words() -> None:
    posting = ReplyPosted(WATER, ROSES, ALICE_ID, None, None)
    assert post(Reply(), WATER, THREAD_OPEN, CHANNEL_OPEN, NOBODY, None) == [posting]


def test_its_author_or_a_moderator_edits_a_reply() -> None:
    assert edit(REPLY_OPEN, BOB, BETTER) == edit(REPLY_OPEN, MODERATOR, BETTER) == [EDITED]
    assert edit(REPLY.fold([ANSWERED, EDITED]), BOB, BETTER) == edit(REPLY_OPEN, BOB, None) == []


def test_others_neither_edit_nor_delete_it() -> None:
    with pytest.raises(Forbidden):
        edit(REPLY_OPEN, ALICE, BETTER)
    with pytest.raises(Forbidden):
        delete(REPLY_OPEN, ALICE)


def test_a_reply_is_deleted_once_and_not_edited_afterwards() -> None:
    assert delete(REPLY_OPEN, MODERATOR) == [REPLY_DELETED]
    assert delete(REPLY_GONE, BOB) == []
    with pytest.raises(Conflict):
        edit(REPLY_GONE, BOB, BETTER)


def test_nothing_is_decided_about_a_reply_that_does_not_exist() -> None:
    with pytest.raises(NotFound):
        edit(Reply(), MODERATOR, BETTER)
    with pytest.raises(NotFound):
        delete(Reply(), MODERATOR)
