"""Membership: applying, joining, leaving and coming again, always as the same member."""

from __future__ import annotations

import pytest

from services.member.events import (
    ApplicationAccepted,
    ApplicationDeclined,
    ApplicationSubmitted,
    MemberJoined,
    MemberLeft,
    RoleGranted,
    RoleRevoked,
)
from services.member.membership.domain import (
    MEMBERSHIP,
    Membership,
    MembershipEvent,
    accept,
    apply,
    decline,
    join,
    join_as_founder,
    leave,
)
from shared.errors import Conflict, NotFound
from tests.member.people import BOB, BOB_JOINED, words

ANSWERS, OTHER_ANSWERS, REASON, OTHER_REASON = words(1), words(2), words(3), words(4)
APPLIED = ApplicationSubmitted(BOB, ANSWERS)
DECLINED = ApplicationDeclined(BOB, REASON)
LEFT = MemberLeft(BOB)


def test_a_stranger_joins_an_open_community() -> None:
    assert join(Membership(), BOB) == [MemberJoined(BOB, "open", 1)]


def test_a_member_who_joins_again_changes_nothing() -> None:
    assert join(MEMBERSHIP.fold([BOB_JOINED]), BOB) == []


def test_who_left_an_open_community_comes_again_under_the_same_id() -> None:
    assert join(MEMBERSHIP.fold([BOB_JOINED, LEFT]), BOB) == [MemberJoined(BOB, "rejoining", 2)]


def test_an_applicant_joins_once_the_community_has_been_opened() -> None:
    assert join(MEMBERSHIP.fold([APPLIED]), BOB) == [MemberJoined(BOB, "open", 1)]


def test_a_founder_joins_by_founding_once_ever() -> None:
    assert join_as_founder(Membership(), BOB) == [MemberJoined(BOB, "founding", 1)]
    assert join_as_founder(MEMBERSHIP.fold([MemberJoined(BOB, "founding", 1), LEFT]), BOB) == []


def test_an_application_waits_with_its_answers() -> None:
    assert apply(Membership(), BOB, ANSWERS) == [APPLIED]
    assert MEMBERSHIP.fold([APPLIED]) == Membership("applicant", answers=ANSWERS)


def test_the_same_application_again_changes_nothing() -> None:
    assert apply(MEMBERSHIP.fold([APPLIED]), BOB, ANSWERS) == []


def test_a_waiting_application_is_not_replaced_by_another() -> None:
    with pytest.raises(Conflict):
        apply(MEMBERSHIP.fold([APPLIED]), BOB, OTHER_ANSWERS)


def test_a_member_who_applies_changes_nothing() -> None:
    assert apply(MEMBERSHIP.fold([BOB_JOINED]), BOB, ANSWERS) == []


@pytest.mark.parametrize("before", [[APPLIED, DECLINED], [BOB_JOINED, LEFT]], ids=["declined", "left"])
def test_who_was_declined_or_left_may_apply_again(before: list[MembershipEvent]) -> None:
    assert apply(MEMBERSHIP.fold(before), BOB, ANSWERS) == [APPLIED]


def test_an_accepted_applicant_is_a_member() -> None:
    events = accept(MEMBERSHIP.fold([APPLIED]), BOB)

    assert events == [ApplicationAccepted(BOB), MemberJoined(BOB, "application", 1)]
    assert accept(MEMBERSHIP.fold([APPLIED, *events]), BOB) == []


def test_an_accepted_return_counts_as_the_second_time() -> None:
    assert accept(MEMBERSHIP.fold([BOB_JOINED, LEFT, APPLIED]), BOB)[1] == MemberJoined(BOB, "application", 2)


def test_nobody_is_accepted_or_declined_without_an_application() -> None:
    with pytest.raises(NotFound):
        accept(Membership(), BOB)
    with pytest.raises(Conflict):
        decline(MEMBERSHIP.fold([BOB_JOINED]), BOB, None)


def test_an_applicant_is_declined_with_a_reason() -> None:
    assert decline(MEMBERSHIP.fold([APPLIED]), BOB, REASON) == [DECLINED]
    assert decline(MEMBERSHIP.fold([APPLIED, DECLINED]), BOB, REASON) == []


def test_a_decision_to_decline_is_not_given_another_reason_later() -> None:
    with pytest.raises(Conflict):
        decline(MEMBERSHIP.fold([APPLIED, DECLINED]), BOB, OTHER_REASON)


def test_the_roles_of_a_member_who_leaves_end_before_he_is_gone() -> None:
    before: list[MembershipEvent] = [BOB_JOINED, RoleGranted(BOB, "moderator"), RoleGranted(BOB, "administrator")]

    events = leave(MEMBERSHIP.fold(before), BOB, owns=False)

    assert events == [RoleRevoked(BOB, "administrator"), RoleRevoked(BOB, "moderator"), LEFT]
    assert MEMBERSHIP.fold([*before, *events]) == Membership("left", times_joined=1)


def test_an_owner_hands_over_before_he_leaves() -> None:
    with pytest.raises(Conflict):
        leave(MEMBERSHIP.fold([BOB_JOINED]), BOB, owns=True)


def test_leaving_twice_or_without_having_been_there_changes_nothing() -> None:
    assert leave(MEMBERSHIP.fold([BOB_JOINED, LEFT]), BOB, owns=False) == []
    assert leave(Membership(), BOB, owns=False) == []


def test_an_applicant_has_nothing_to_leave_yet() -> None:
    with pytest.raises(Conflict):
        leave(MEMBERSHIP.fold([APPLIED]), BOB, owns=False)
