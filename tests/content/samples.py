"""The people, the words and the threads that the content service's tests speak of."""

from __future__ import annotations

from uuid import UUID

from services.content.authorship import Actor
from services.content.channels.domain import CHANNEL
from services.content.comments.domain import COMMENT
from services.content.events import (
    AnswerAccepted,
    ChannelArchived,
    ChannelOpened,
    CommentDeleted,
    CommentPosted,
    ReplyDeleted,
    ReplyPosted,
    ThreadDeleted,
    ThreadOpened,
)
from services.content.replies.domain import REPLY
from services.content.threads.domain import THREAD
from shared.events.event import Text
from tests.given import folded

ALICE_ID = UUID("00000000-0000-5000-8000-0000000a11ce")
BOB_ID = UUID("00000000-0000-5000-8000-000000000b0b")
ALICE, BOB = Actor(ALICE_ID), Actor(BOB_ID)
MODERATOR = Actor(UUID("00000000-0000-5000-8000-0000000000ed"), moderates=True)
NOBODY = Actor(None)

GARDENING = UUID("00000000-0000-7000-8000-0000000000c1")
ROSES = UUID("00000000-0000-7000-8000-0000000000f1")
WATER = UUID("00000000-0000-7000-8000-0000000000d1")
SHADE = UUID("00000000-0000-7000-8000-0000000000d2")
WHEN = UUID("00000000-0000-7000-8000-0000000000e1")


def words(number: int, length: int = 12) -> Text:
    """A reference to some words; the same number stands for the same words."""
    return Text(UUID(int=number), length)


OPENED = ChannelOpened(GARDENING, "Gardening", "members", "")
CHANNEL_OPEN = folded(CHANNEL, [OPENED])
CHANNEL_ARCHIVED = folded(CHANNEL, [OPENED, ChannelArchived(GARDENING)])
CHANNEL_OF_MODERATORS = folded(CHANNEL, [ChannelOpened(GARDENING, "News", "moderators", "")])

ASKED = ThreadOpened(ROSES, GARDENING, ALICE_ID, words(1), ("roses",))
THREAD_DELETED = ThreadDeleted(ROSES, GARDENING, ALICE_ID, ("roses",))
THREAD_OPEN = folded(THREAD, [ASKED])
THREAD_GONE = folded(THREAD, [ASKED, THREAD_DELETED])

ANSWERED = ReplyPosted(WATER, ROSES, ALICE_ID, BOB_ID, words(2))
REPLY_DELETED = ReplyDeleted(WATER, ROSES, BOB_ID)
REPLY_OPEN = folded(REPLY, [ANSWERED])
REPLY_GONE = folded(REPLY, [ANSWERED, REPLY_DELETED])
OTHER_REPLY = folded(REPLY, [ReplyPosted(SHADE, ROSES, ALICE_ID, None, words(3))])

REMARKED = CommentPosted(WHEN, ROSES, WATER, "reply", BOB_ID, ALICE_ID, words(4))
COMMENT_DELETED = CommentDeleted(WHEN, ROSES, WATER, ALICE_ID)
COMMENT_OPEN = folded(COMMENT, [REMARKED])
COMMENT_GONE = folded(COMMENT, [REMARKED, COMMENT_DELETED])

ACCEPTED = AnswerAccepted(ROSES, WATER, ALICE_ID, BOB_ID)
THREAD_ANSWERED = folded(THREAD, [ASKED, ACCEPTED])
