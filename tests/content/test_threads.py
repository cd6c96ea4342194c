"""Threads: opened where the channel allows it, edited and deleted by their author or a moderator."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.content.authorship import Actor, Revision
from services.content.channels.domain import Channel
from services.content.events import ThreadEdited, ThreadOpened
from services.content.threads.domain import THREAD, Thread, delete, edit, open_thread
from shared.events.errors import Conflict, Forbidden, KeyReused, NotFound
from tests.content.samples import (
    ALICE,
    ALICE_ID,
    ASKED,
    BOB,
    CHANNEL_ARCHIVED,
    CHANNEL_OF_MODERATORS,
    CHANNEL_OPEN,
    GARDENING,
    MODERATOR,
    NOBODY,
    ROSES,
    THREAD_DELETED,
    THREAD_GONE,
    THREAD_OPEN,
    words,
)

BETTER = Revision(words(1), words(5))
EDITED = ThreadEdited(ROSES, GARDENING, ALICE_ID, words(5), ("roses",), ("roses",))


def opened_again(channel: Channel = CHANNEL_OPEN, by: Actor = ALICE, number: int = 1) -> list[object]:
    return [*open_thread(THREAD_OPEN, ROSES, channel, by, words(number), ("roses",))]


def test_a_member_opens_a_thread() -> None:
    assert open_thread(Thread(), ROSES, CHANNEL_OPEN, ALICE, words(1), ("roses",)) == [ASKED]


def test_a_thread_opened_again_changes_nothing_even_where_the_channel_was_archived_since() -> None:
    assert opened_again() == []
    assert opened_again(channel=CHANNEL_ARCHIVED) == []


def test_an_id_that_is_taken_is_not_given_to_another_thread() -> None:
    with pytest.raises(KeyReused):
        opened_again(by=BOB)
    with pytest.raises(KeyReused):
        opened_again(number=9)
    with pytest.raises(KeyReused):
        opened_again(channel=Channel())


def test_where_moderators_post_members_open_no_threads() -> None:
    with pytest.raises(Forbidden):
        open_thread(Thread(), ROSES, CHANNEL_OF_MODERATORS, ALICE, words(1), ())
    news = open_thread(Thread(), ROSES, CHANNEL_OF_MODERATORS, MODERATOR, words(1), ())
    assert news == [ThreadOpened(ROSES, GARDENING, MODERATOR.id, words(1), ())]


def test_no_thread_is_opened_in_an_archived_channel_or_in_none() -> None:
    with pytest.raises(Conflict):
        open_thread(Thread(), ROSES, CHANNEL_ARCHIVED, MODERATOR, words(1), ())
    with pytest.raises(NotFound):
        open_thread(Thread(), ROSES, Channel(), MODERATOR, words(1), ())


def test_a_thread_brought_in_may_have_no_author_and_no_words() -> None:
    opening = ThreadOpened(ROSES, GARDENING, None, None, ())
    assert open_thread(Thread(), ROSES, CHANNEL_OPEN, NOBODY, None, ()) == [opening]


@pytest.mark.parametrize("by", [ALICE, MODERATOR], ids=["author", "moderator"])
def test_its_author_or_a_moderator_edits_a_thread(by: Actor) -> None:
    assert edit(THREAD_OPEN, by, BETTER, None) == [EDITED]


def test_an_edit_says_which_tags_stood_before() -> None:
    retagged = ThreadEdited(ROSES, GARDENING, ALICE_ID, words(1), ("pruning",), ("roses",))
    assert edit(THREAD_OPEN, ALICE, None, ("pruning",)) == [retagged]


def test_an_edit_that_changes_nothing_is_none() -> None:
    assert edit(THREAD_OPEN, ALICE, None, None) == []
    assert edit(THREAD_OPEN, ALICE, None, ("roses",)) == []
    assert edit(THREAD.fold([ASKED, EDITED]), ALICE, BETTER, None) == []


def test_an_edit_of_words_that_others_have_changed_meanwhile_is_refused() -> None:
    meanwhile = replace(THREAD_OPEN, text=words(6))
    with pytest.raises(Conflict):
        edit(meanwhile, ALICE, BETTER, None)


def test_only_its_author_and_moderators_change_a_thread() -> None:
    nobodys = THREAD.fold([ThreadOpened(ROSES, GARDENING, None, None, ())])
    for state, by in [(THREAD_OPEN, BOB), (nobodys, BOB), (nobodys, NOBODY)]:
        with pytest.raises(Forbidden):
            edit(state, by, None, ("pruning",))
        with pytest.raises(Forbidden):
            delete(state, by)


def test_who_does_not_read_here_deletes_their_own_thread_and_no_other_is_there_for_them() -> None:
    alice, bob = replace(ALICE, reads=False), replace(BOB, reads=False)
    assert delete(THREAD_OPEN, alice) == [THREAD_DELETED]
    for state in (THREAD_OPEN, THREAD_GONE, Thread()):
        with pytest.raises(NotFound, match="no such thread"):
            delete(state, bob)


def test_a_thread_is_deleted_once() -> None:
    assert delete(THREAD_OPEN, ALICE) == [THREAD_DELETED]
    assert delete(THREAD_GONE, MODERATOR) == []


def test_a_deleted_thread_is_not_edited() -> None:
    with pytest.raises(Conflict):
        edit(THREAD_GONE, ALICE, BETTER, None)


def test_nothing_is_decided_about_a_thread_that_does_not_exist() -> None:
    with pytest.raises(NotFound):
        edit(Thread(), MODERATOR, None, ())
    with pytest.raises(NotFound):
        delete(Thread(), MODERATOR)
