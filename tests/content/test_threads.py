"""Threads: opened where the channel allows it, edited and deleted by their author or a moderator."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.content.authorship import Actor, Revision
from services.content.events import ThreadEdited, ThreadOpened
from services.content.threads.domain import THREAD, Thread, delete, edit, takes_threads
from shared.events.errors import Conflict, Forbidden, NotFound
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
from tests.given import NOON, facts, folded

LATER = NOON + timedelta(hours=1)
BETTER = Revision(words(1), words(5))
EDITED = ThreadEdited(ROSES, GARDENING, ALICE_ID, words(5), ("roses",), ("roses",))


@pytest.mark.parametrize("by", [ALICE, MODERATOR], ids=["author", "moderator"])
def test_its_author_or_a_moderator_edits_a_thread(by: Actor) -> None:
    assert edit(THREAD_OPEN, by, BETTER, None) == [EDITED]


def test_an_edit_says_which_tags_stood_before() -> None:
    retagged = ThreadEdited(ROSES, GARDENING, ALICE_ID, words(1), ("pruning",), ("roses",))
    assert edit(THREAD_OPEN, ALICE, None, ("pruning",)) == [retagged]


def test_an_edit_that_changes_nothing_is_none() -> None:
    assert edit(THREAD_OPEN, ALICE, None, None) == []
    assert edit(THREAD_OPEN, ALICE, None, ("roses",)) == []
    assert edit(folded(THREAD, [ASKED, EDITED]), ALICE, BETTER, None) == []


def test_an_edit_of_words_that_others_have_changed_meanwhile_is_refused() -> None:
    meanwhile = replace(THREAD_OPEN, text=words(6))
    with pytest.raises(Conflict):
        edit(meanwhile, ALICE, BETTER, None)


def test_only_its_author_and_moderators_change_a_thread() -> None:
    nobodys = folded(THREAD, [ThreadOpened(ROSES, GARDENING, None, None, ())])
    for state, by in [(THREAD_OPEN, BOB), (nobodys, BOB), (nobodys, NOBODY)]:
        with pytest.raises(Forbidden):
            edit(state, by, None, ("pruning",))
        with pytest.raises(Forbidden):
            delete(state, by)


def test_who_does_not_read_here_deletes_their_own_thread_and_no_other_is_there_for_them() -> None:
    alice, bob = replace(ALICE, reads=False), replace(BOB, reads=False)
    assert delete(THREAD_OPEN, alice) == [THREAD_DELETED]
    for state in (THREAD_OPEN, THREAD_GONE):
        with pytest.raises(NotFound, match="no such thread"):
            delete(state, bob)


def test_a_thread_is_deleted_once() -> None:
    assert delete(THREAD_OPEN, ALICE) == [THREAD_DELETED]
    assert delete(THREAD_GONE, MODERATOR) == []


def test_a_deleted_thread_is_not_edited() -> None:
    with pytest.raises(Conflict):
        edit(THREAD_GONE, ALICE, BETTER, None)


def test_members_open_threads_in_a_channel_that_leaves_it_to_them_and_moderators_in_every_one() -> None:
    takes_threads(CHANNEL_OPEN, ALICE)
    takes_threads(CHANNEL_OF_MODERATORS, MODERATOR)
    with pytest.raises(Forbidden):
        takes_threads(CHANNEL_OF_MODERATORS, ALICE)


def test_no_thread_is_opened_in_an_archived_channel_or_in_none() -> None:
    with pytest.raises(Conflict):
        takes_threads(CHANNEL_ARCHIVED, MODERATOR)
    with pytest.raises(NotFound):
        takes_threads(None, MODERATOR)


def test_a_thread_knows_when_it_was_edited_last_and_who_answers_for_that() -> None:
    assert folded(THREAD, [ASKED]) == Thread(ROSES, GARDENING, ALICE_ID, words(1), ("roses",), NOON, None, None)
    edited = folded(THREAD, [EDITED], THREAD_OPEN, LATER, actor=BOB.id)
    assert (edited.edited_at, edited.edited_by, edited.edits) == (LATER, BOB.id, 1)
    brought_in = THREAD.fold(facts([EDITED], LATER, actor=ALICE_ID, imported_by=BOB.id), edited)
    assert brought_in is not None
    assert (brought_in.edited_by, brought_in.edits) == (BOB.id, 2)


def test_the_words_of_a_deleted_thread_are_referred_to_no_more() -> None:
    assert (THREAD_OPEN.text_ref, THREAD_GONE.text_ref) == (words(1).ref, None)
    assert folded(THREAD, [THREAD_DELETED], THREAD_OPEN, LATER).deleted_at == LATER
