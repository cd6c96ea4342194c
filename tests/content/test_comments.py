"""Comments: on a thread or on a reply that stands."""

from __future__ import annotations

import pytest

from services.content.authorship import Revision
from services.content.comments.domain import COMMENT, Comment, CommentTarget, delete, edit, post
from services.content.events import CommentEdited, CommentPosted
from services.content.replies.domain import Reply
from services.content.threads.domain import Thread
from shared.events.errors import Conflict, Forbidden, KeyReused, NotFound
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

ON_REPLY = CommentTarget(CHANNEL_OPEN, THREAD_OPEN, REPLY_OPEN)
ON_THREAD = CommentTarget(CHANNEL_OPEN, THREAD_OPEN)
EDITED = CommentEdited(WHEN, ROSES, WATER, ALICE_ID, words(8))


def test_a_comment_names_what_it_stands_on_and_whose_that_is() -> None:
    assert post(Comment(), WHEN, ON_REPLY, ALICE, words(4)) == [REMARKED]
    on_thread = CommentPosted(WHEN, ROSES, ROSES, "thread", ALICE_ID, BOB_ID, words(4))
    assert post(Comment(), WHEN, ON_THREAD, BOB, words(4)) == [on_thread]


@pytest.mark.parametrize(
    "place",
    [
        CommentTarget(CHANNEL_OPEN, THREAD_GONE),
        CommentTarget(CHANNEL_OPEN, THREAD_GONE, REPLY_OPEN),
        CommentTarget(CHANNEL_OPEN, THREAD_OPEN, REPLY_GONE),
        CommentTarget(CHANNEL_ARCHIVED, THREAD_OPEN),
    ],
    ids=["deleted thread", "reply in a deleted thread", "deleted reply", "archived channel"],
)
def test_nobody_comments_on_what_is_closed(place: CommentTarget) -> None:
    with pytest.raises(Conflict):
        post(Comment(), WHEN, place, MODERATOR, words(4))


@pytest.mark.parametrize(
    "place", [CommentTarget(CHANNEL_OPEN, Thread()), CommentTarget(CHANNEL_OPEN, THREAD_OPEN, Reply())]
)
def test_nobody_comments_on_what_does_not_exist(place: CommentTarget) -> None:
    with pytest.raises(NotFound):
        post(Comment(), WHEN, place, BOB, words(4))


def test_a_comment_posted_again_changes_nothing_even_where_the_reply_was_deleted_since() -> None:
    assert post(COMMENT_OPEN, WHEN, ON_REPLY, ALICE, words(4)) == []
    assert post(COMMENT_GONE, WHEN, CommentTarget(CHANNEL_OPEN, THREAD_OPEN, REPLY_GONE), ALICE, words(4)) == []


def test_an_id_that_is_taken_is_not_given_to_another_comment() -> None:
    for place, by, number in [(ON_THREAD, ALICE, 4), (ON_REPLY, BOB, 4), (ON_REPLY, ALICE, 9)]:
        with pytest.raises(KeyReused):
            post(COMMENT_OPEN, WHEN, place, by, words(number))


def test_its_author_or_a_moderator_edits_and_deletes_a_comment() -> None:
    better = Revision(words(4), words(8))
    assert edit(COMMENT_OPEN, ALICE, better) == edit(COMMENT_OPEN, MODERATOR, better) == [EDITED]
    assert edit(COMMENT.fold([REMARKED, EDITED]), ALICE, better) == []
    assert delete(COMMENT_OPEN, ALICE) == delete(COMMENT_OPEN, MODERATOR) == [COMMENT_DELETED]
    assert delete(COMMENT_GONE, ALICE) == []
    with pytest.raises(Forbidden):
        edit(COMMENT_OPEN, BOB, better)
    with pytest.raises(Forbidden):
        delete(COMMENT_OPEN, BOB)


def test_a_deleted_comment_is_not_edited() -> None:
    with pytest.raises(Conflict):
        edit(COMMENT_GONE, ALICE, Revision(words(4), words(8)))


def test_nothing_is_decided_about_a_comment_that_does_not_exist() -> None:
    with pytest.raises(NotFound):
        edit(Comment(), MODERATOR, None)
    with pytest.raises(NotFound):
        delete(Comment(), MODERATOR)
