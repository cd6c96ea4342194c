"""Comments: on a thread or on a reply that stands."""

from __future__ import annotations

from typing import Any

import pytest

from services.content.authorship import Revision
from services.content.comments.domain import COMMENT, delete, edit, on, takes_comments
from services.content.events import CommentEdited, CommentPosted
from shared.events.errors import Conflict, Forbidden, NotFound
from tests.content.samples import (
    ALICE,
    ALICE_ID,
    BOB,
    BOB_ID,
    CHANNEL_ARCHIVED,
    CHANNEL_OPEN,
    COMMENT_DELETED,
    COMMENT_GONE,
    COMMENT_OPEN,
    MODERATOR,
    REMARKED,
    REPLY_GONE,
    REPLY_OPEN,
    ROSES,
    THREAD_GONE,
    THREAD_OPEN,
    WATER,
    WHEN,
    words,
)
from tests.given import folded

EDITED = CommentEdited(WHEN, ROSES, WATER, ALICE_ID, words(8))


def test_its_author_or_a_moderator_edits_and_deletes_a_comment() -> None:
    better = Revision(words(4), words(8))
    assert edit(COMMENT_OPEN, ALICE, better) == edit(COMMENT_OPEN, MODERATOR, better) == [EDITED]
    assert edit(folded(COMMENT, [REMARKED, EDITED]), ALICE, better) == []
    assert delete(COMMENT_OPEN, ALICE) == delete(COMMENT_OPEN, MODERATOR) == [COMMENT_DELETED]
    assert delete(COMMENT_GONE, ALICE) == []
    with pytest.raises(Forbidden):
        edit(COMMENT_OPEN, BOB, better)
    with pytest.raises(Forbidden):
        delete(COMMENT_OPEN, BOB)


def test_a_deleted_comment_is_not_edited() -> None:
    with pytest.raises(Conflict):
        edit(COMMENT_GONE, ALICE, Revision(words(4), words(8)))


def test_a_comment_names_what_it_stands_on_and_whose_that_is() -> None:
    assert on(WHEN, REPLY_OPEN, ALICE_ID, words(4)) == REMARKED
    on_thread = CommentPosted(WHEN, ROSES, ROSES, "thread", ALICE_ID, BOB_ID, words(4))
    assert on(WHEN, THREAD_OPEN, BOB_ID, words(4)) == on_thread


def test_what_stands_takes_comments() -> None:
    takes_comments(CHANNEL_OPEN, THREAD_OPEN)
    takes_comments(CHANNEL_OPEN, THREAD_OPEN, REPLY_OPEN)


@pytest.mark.parametrize(
    "place",
    [
        (CHANNEL_OPEN, THREAD_GONE),
        (CHANNEL_OPEN, THREAD_GONE, REPLY_OPEN),
        (CHANNEL_OPEN, THREAD_OPEN, REPLY_GONE),
        (CHANNEL_ARCHIVED, THREAD_OPEN),
    ],
    ids=["deleted thread", "reply in a deleted thread", "deleted reply", "archived channel"],
)
def test_nobody_comments_on_what_is_closed(place: tuple[Any, ...]) -> None:
    with pytest.raises(Conflict):
        takes_comments(*place)


def test_nobody_comments_on_a_thread_that_does_not_exist() -> None:
    with pytest.raises(NotFound):
        takes_comments(CHANNEL_OPEN, None)
