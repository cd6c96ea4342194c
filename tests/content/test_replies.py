"""Replies: to a thread that stands, edited and deleted by their author or a moderator."""

from __future__ import annotations

import pytest

from services.content.authorship import Revision
from services.content.channels.domain import Channel
from services.content.events import ReplyEdited
from services.content.replies.domain import REPLY, Reply, delete, edit
from services.content.threads.domain import Thread, takes_replies
from shared.events.errors import Conflict, Forbidden, NotFound
from tests.content.samples import (
    ALICE,
    ANSWERED,
    BOB,
    BOB_ID,
    CHANNEL_ARCHIVED,
    CHANNEL_OF_MODERATORS,
    CHANNEL_OPEN,
    MODERATOR,
    REPLY_DELETED,
    REPLY_GONE,
    REPLY_OPEN,
    ROSES,
    THREAD_GONE,
    THREAD_OPEN,
    WATER,
    words,
)
from tests.given import NOON, folded

BETTER = Revision(words(2), words(7))
EDITED = ReplyEdited(WATER, ROSES, BOB_ID, words(7))


def test_its_author_or_a_moderator_edits_a_reply() -> None:
    assert edit(REPLY_OPEN, BOB, BETTER) == edit(REPLY_OPEN, MODERATOR, BETTER) == [EDITED]
    assert edit(folded(REPLY, [ANSWERED, EDITED]), BOB, BETTER) == edit(REPLY_OPEN, BOB, None) == []


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


@pytest.mark.parametrize("channel", [CHANNEL_OPEN, CHANNEL_OF_MODERATORS], ids=["of members", "of moderators"])
def test_every_channel_takes_replies(channel: Channel) -> None:
    takes_replies(THREAD_OPEN, channel)


@pytest.mark.parametrize(
    ("thread", "channel"),
    [(THREAD_GONE, CHANNEL_OPEN), (THREAD_OPEN, CHANNEL_ARCHIVED)],
    ids=["deleted thread", "archived channel"],
)
def test_nobody_replies_to_what_is_closed(thread: Thread, channel: Channel) -> None:
    with pytest.raises(Conflict):
        takes_replies(thread, channel)


def test_nobody_replies_to_a_thread_that_does_not_exist() -> None:
    with pytest.raises(NotFound):
        takes_replies(None, CHANNEL_OPEN)


def test_a_reply_knows_what_was_posted_and_when_it_was_edited() -> None:
    assert folded(REPLY, [ANSWERED]) == Reply(WATER, ROSES, BOB_ID, words(2), NOON, None, None)
    assert folded(REPLY, [EDITED], REPLY_OPEN, actor=BOB_ID) == Reply(
        WATER, ROSES, BOB_ID, words(7), NOON, None, NOON, BOB_ID, 1
    )
