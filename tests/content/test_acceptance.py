"""Acceptance: one answer at most, given and taken back by the thread's author or a moderator."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.content.acceptance.domain import accept, withdraw, withdraw_from
from services.content.authorship import Actor
from services.content.events import AcceptanceWithdrawn, AnswerAccepted, ReplyPosted, ThreadOpened
from services.content.replies.domain import REPLY
from services.content.threads.domain import THREAD
from shared.events.errors import Conflict, Forbidden, NotFound
from tests.content.samples import (
    ACCEPTED,
    ALICE,
    ALICE_ID,
    ASKED,
    BOB,
    BOB_ID,
    GARDENING,
    MODERATOR,
    NOBODY,
    OTHER_REPLY,
    REPLY_GONE,
    REPLY_OPEN,
    ROSES,
    SHADE,
    THREAD_ANSWERED,
    THREAD_DELETED,
    THREAD_GONE,
    THREAD_OPEN,
    WATER,
    words,
)
from tests.given import NOON, folded

WITHDRAWN = AcceptanceWithdrawn(ROSES, WATER, ALICE_ID, BOB_ID, NOON)
ELSEWHERE = folded(REPLY, [ReplyPosted(WATER, SHADE, ALICE_ID, BOB_ID, words(2))])


@pytest.mark.parametrize("by", [ALICE, MODERATOR], ids=["author", "moderator"])
def test_the_threads_author_or_a_moderator_accepts_an_answer(by: Actor) -> None:
    assert accept(THREAD_OPEN, REPLY_OPEN, by) == [AnswerAccepted(ROSES, WATER, by.id, BOB_ID)]


def test_others_accept_nothing() -> None:
    nobodys = folded(THREAD, [ThreadOpened(ROSES, GARDENING, None, None, ())])
    for thread, by in [(THREAD_OPEN, BOB), (nobodys, BOB), (nobodys, NOBODY)]:
        with pytest.raises(Forbidden):
            accept(thread, REPLY_OPEN, by)
    with pytest.raises(Forbidden):
        withdraw(THREAD_ANSWERED, BOB)


def test_an_answer_accepted_again_changes_nothing() -> None:
    assert accept(THREAD_ANSWERED, REPLY_OPEN, ALICE) == []
    assert accept(THREAD_ANSWERED, REPLY_OPEN, MODERATOR) == []


def test_another_answer_takes_the_place_of_the_first() -> None:
    other = AnswerAccepted(ROSES, SHADE, ALICE_ID, None)
    assert accept(THREAD_ANSWERED, OTHER_REPLY, ALICE) == [WITHDRAWN, other]
    assert folded(THREAD, [WITHDRAWN, other], THREAD_ANSWERED).accepted == other


def test_only_a_reply_of_the_thread_is_accepted() -> None:
    for reply in (None, ELSEWHERE):
        with pytest.raises(NotFound):
            accept(THREAD_OPEN, reply, ALICE)


def test_nothing_deleted_is_accepted_and_nothing_in_a_deleted_thread() -> None:
    with pytest.raises(Conflict):
        accept(THREAD_OPEN, REPLY_GONE, ALICE)
    with pytest.raises(Conflict):
        accept(THREAD_GONE, REPLY_OPEN, ALICE)


def test_an_acceptance_is_withdrawn_with_who_gave_it_and_when() -> None:
    assert withdraw(THREAD_ANSWERED, MODERATOR) == [WITHDRAWN]
    assert withdraw(folded(THREAD, [ASKED, ACCEPTED, WITHDRAWN]), ALICE) == withdraw(THREAD_OPEN, ALICE) == []


def test_an_acceptance_may_be_withdrawn_from_a_deleted_thread() -> None:
    assert withdraw(folded(THREAD, [ASKED, ACCEPTED, THREAD_DELETED]), ALICE) == [WITHDRAWN]


def test_an_answer_that_is_accepted_again_may_be_withdrawn_again() -> None:
    twice = folded(THREAD, [ASKED, ACCEPTED, WITHDRAWN, ACCEPTED])
    assert withdraw(twice, ALICE) == [WITHDRAWN]


def test_an_acceptance_given_again_says_when_the_same_member_gave_it_before() -> None:
    again = folded(THREAD, [ASKED, ACCEPTED, WITHDRAWN])
    assert accept(again, REPLY_OPEN, ALICE) == [replace(ACCEPTED, given_before=NOON)]
    assert accept(again, REPLY_OPEN, MODERATOR) == [replace(ACCEPTED, accepted_by_id=MODERATOR.id)]
    assert accept(again, OTHER_REPLY, ALICE) == [AnswerAccepted(ROSES, SHADE, ALICE_ID, None)]
    nobodys = replace(WITHDRAWN, accepted_by_id=None)
    unknown = folded(THREAD, [ASKED, ACCEPTED, nobodys])
    assert accept(unknown, REPLY_OPEN, Actor(None, moderates=True)) == [replace(ACCEPTED, accepted_by_id=None)]


def test_answers_accepted_in_turns_are_each_given_again() -> None:
    other = AnswerAccepted(ROSES, SHADE, ALICE_ID, None)
    later = AcceptanceWithdrawn(ROSES, SHADE, ALICE_ID, None, NOON + timedelta(hours=1))
    turns = folded(THREAD, [ASKED, ACCEPTED, WITHDRAWN, other, later])
    assert accept(turns, REPLY_OPEN, ALICE) == [replace(ACCEPTED, given_before=NOON)]
    assert accept(turns, OTHER_REPLY, ALICE) == [replace(other, given_before=later.accepted_at)]


def test_a_reply_that_is_deleted_loses_its_acceptance_and_no_other_does() -> None:
    assert withdraw_from(THREAD_ANSWERED, WATER) == [WITHDRAWN]
    assert withdraw_from(THREAD_ANSWERED, SHADE) == withdraw_from(THREAD_OPEN, WATER) == []
