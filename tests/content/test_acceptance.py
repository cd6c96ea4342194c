"""Acceptance: one answer at most, given and taken back by the thread's author or a moderator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from services.content.acceptance.domain import accept, withdraw, withdraw_from
from services.content.authorship import Actor
from services.content.events import AcceptanceWithdrawn, AnswerAccepted, ReplyPosted, ThreadOpened
from services.content.replies.domain import REPLY, Reply
from services.content.threads.domain import THREAD, Thread
from shared.events.errors import Conflict, Forbidden, NotFound
from shared.events.history import Occurrence
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

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = Occurrence(1, NOON)
WITHDRAWN = AcceptanceWithdrawn(ROSES, WATER, ALICE_ID, BOB_ID, NOON)
ELSEWHERE = REPLY.fold([ReplyPosted(WATER, SHADE, ALICE_ID, BOB_ID, words(2))])


@pytest.mark.parametrize("by", [ALICE, MODERATOR], ids=["author", "moderator"])
def test_the_threads_author_or_a_moderator_accepts_an_answer(by: Actor) -> None:
    assert accept(THREAD_OPEN, REPLY_OPEN, by, None) == [AnswerAccepted(ROSES, WATER, by.id, BOB_ID)]


def test_others_accept_nothing() -> None:
    nobodys = THREAD.fold([ThreadOpened(ROSES, GARDENING, None, None, ())])
    for thread, by in [(THREAD_OPEN, BOB), (nobodys, BOB), (nobodys, NOBODY)]:
        with pytest.raises(Forbidden):
            accept(thread, REPLY_OPEN, by, None)
    with pytest.raises(Forbidden):
        withdraw(THREAD_ANSWERED, BOB, FIRST)


def test_an_answer_accepted_again_changes_nothing() -> None:
    assert accept(THREAD_ANSWERED, REPLY_OPEN, ALICE, FIRST) == []
    assert accept(THREAD_ANSWERED, REPLY_OPEN, MODERATOR, FIRST) == []


def test_another_answer_takes_the_place_of_the_first() -> None:
    other = AnswerAccepted(ROSES, SHADE, ALICE_ID, None)
    assert accept(THREAD_ANSWERED, OTHER_REPLY, ALICE, FIRST) == [WITHDRAWN, other]
    assert THREAD.fold([WITHDRAWN, other], THREAD_ANSWERED).accepted == other


def test_only_a_reply_of_the_thread_is_accepted() -> None:
    for reply in (Reply(), ELSEWHERE):
        with pytest.raises(NotFound):
            accept(THREAD_OPEN, reply, ALICE, None)


def test_nothing_deleted_is_accepted_and_nothing_in_a_deleted_thread() -> None:
    with pytest.raises(Conflict):
        accept(THREAD_OPEN, REPLY_GONE, ALICE, None)
    with pytest.raises(Conflict):
        accept(THREAD_GONE, REPLY_OPEN, ALICE, None)


def test_an_acceptance_is_withdrawn_with_who_gave_it_and_when() -> None:
    assert withdraw(THREAD_ANSWERED, MODERATOR, FIRST) == [WITHDRAWN]
    assert withdraw(THREAD.fold([ASKED, ACCEPTED, WITHDRAWN]), ALICE, None) == withdraw(THREAD_OPEN, ALICE, None) == []


def test_an_acceptance_may_be_withdrawn_from_a_deleted_thread() -> None:
    assert withdraw(THREAD.fold([ASKED, ACCEPTED, THREAD_DELETED]), ALICE, FIRST) == [WITHDRAWN]


def test_an_answer_that_is_accepted_again_may_be_withdrawn_again() -> None:
    twice = THREAD.fold([ASKED, ACCEPTED, WITHDRAWN, ACCEPTED])
    assert withdraw(twice, ALICE, Occurrence(2, NOON)) == [WITHDRAWN]


def test_an_acceptance_given_again_says_when_the_same_member_gave_it_before() -> None:
    again = THREAD.fold([ASKED, ACCEPTED, WITHDRAWN])
    assert accept(again, REPLY_OPEN, ALICE, None) == [replace(ACCEPTED, given_before=NOON)]
    assert accept(again, REPLY_OPEN, MODERATOR, None) == [replace(ACCEPTED, accepted_by_id=MODERATOR.id)]
    assert accept(again, OTHER_REPLY, ALICE, None) == [AnswerAccepted(ROSES, SHADE, ALICE_ID, None)]
    nobodys = replace(WITHDRAWN, accepted_by_id=None)
    unknown = THREAD.fold([ASKED, ACCEPTED, nobodys])
    assert accept(unknown, REPLY_OPEN, Actor(None, moderates=True), None) == [replace(ACCEPTED, accepted_by_id=None)]


def test_answers_accepted_in_turns_are_each_given_again() -> None:
    other = AnswerAccepted(ROSES, SHADE, ALICE_ID, None)
    later = AcceptanceWithdrawn(ROSES, SHADE, ALICE_ID, None, NOON + timedelta(hours=1))
    turns = THREAD.fold([ASKED, ACCEPTED, WITHDRAWN, other, later])
    assert accept(turns, REPLY_OPEN, ALICE, None) == [replace(ACCEPTED, given_before=NOON)]
    assert accept(turns, OTHER_REPLY, ALICE, None) == [replace(other, given_before=later.accepted_at)]


def test_an_acceptance_given_meanwhile_is_not_withdrawn_at_another_ones_time() -> None:
    twice = THREAD.fold([ASKED, ACCEPTED, WITHDRAWN, ACCEPTED])
    for outdated in (FIRST, None):
        with pytest.raises(Conflict):
            withdraw(twice, ALICE, outdated)


def test_a_reply_that_is_deleted_loses_its_acceptance_and_no_other_does() -> None:
    assert withdraw_from(THREAD_ANSWERED, WATER, FIRST) == [WITHDRAWN]
    assert withdraw_from(THREAD_ANSWERED, SHADE, FIRST) == withdraw_from(THREAD_OPEN, WATER, None) == []


def test_nothing_is_decided_about_a_thread_that_does_not_exist() -> None:
    with pytest.raises(NotFound):
        accept(Thread(), REPLY_OPEN, MODERATOR, None)
    with pytest.raises(NotFound):
        withdraw(Thread(), MODERATOR, None)
