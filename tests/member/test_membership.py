"""Membership: applying, joining, leaving and coming again, always as the same member."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
import pytest

from services.member.communities.domain import COMMUNITY
from services.member.events import (
    ApplicationAccepted,
    ApplicationDeclined,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    RobotMarked,
    RobotUnmarked,
    RoleGranted,
    RoleRevoked,
)
from services.member.membership.domain import (
    MEMBERSHIP,
    Membership,
    MembershipEvent,
    accept,
    apply,
    ask,
    bring_in,
    come,
    decline,
    join,
    join_as_founder,
    leave,
    mark_robot,
    unmark_robot,
)
from shared.events.errors import Conflict
from tests.given import NOON, folded
from tests.member.people import ALICE, BOB, BOB_JOINED, FOUNDED, words

ANSWERS, OTHER_ANSWERS, REASON, OTHER_REASON = words(1), words(2), words(3), words(4)
APPLIED = ApplicationSubmitted(BOB, ANSWERS)
DECLINED = ApplicationDeclined(BOB, REASON)
WITHDRAWN = ApplicationWithdrawn(BOB)
LEFT = MemberLeft(BOB)
REMOVED = MemberRemoved(BOB, ALICE, REASON)


def test_a_stranger_joins_an_open_community() -> None:
    assert join(None, BOB) == [MemberJoined(BOB, "open", 1)]


def test_a_member_who_joins_again_changes_nothing() -> None:
    assert join(folded(MEMBERSHIP, [BOB_JOINED]), BOB) == []


def test_who_left_an_open_community_comes_again_under_the_same_id() -> None:
    assert join(folded(MEMBERSHIP, [BOB_JOINED, LEFT]), BOB) == [MemberJoined(BOB, "rejoining", 2)]


def test_an_applicant_joins_once_the_community_has_been_opened() -> None:
    assert join(folded(MEMBERSHIP, [APPLIED]), BOB) == [MemberJoined(BOB, "open", 1)]


def test_a_founder_joins_by_founding_once_ever() -> None:
    assert join_as_founder(None, BOB) == [MemberJoined(BOB, "founding", 1)]
    assert join_as_founder(folded(MEMBERSHIP, [MemberJoined(BOB, "founding", 1), LEFT]), BOB) == []


def test_an_application_waits_with_its_answers() -> None:
    assert apply(None, BOB, ANSWERS) == [APPLIED]
    assert folded(MEMBERSHIP, [APPLIED]) == Membership("applicant", NOON, answers=ANSWERS)


def test_the_same_application_again_changes_nothing() -> None:
    assert apply(folded(MEMBERSHIP, [APPLIED]), BOB, ANSWERS) == []


def test_a_waiting_application_is_not_replaced_by_another() -> None:
    with pytest.raises(Conflict):
        apply(folded(MEMBERSHIP, [APPLIED]), BOB, OTHER_ANSWERS)


def test_a_member_who_applies_changes_nothing() -> None:
    assert apply(folded(MEMBERSHIP, [BOB_JOINED]), BOB, ANSWERS) == []


@pytest.mark.parametrize(
    "before",
    [[APPLIED, DECLINED], [APPLIED, WITHDRAWN], [BOB_JOINED, LEFT], [BOB_JOINED, REMOVED]],
    ids=["declined", "withdrawn", "left", "removed"],
)
def test_who_was_declined_or_removed_or_went_may_apply_again(before: list[MembershipEvent]) -> None:
    assert apply(folded(MEMBERSHIP, before), BOB, ANSWERS) == [APPLIED]


def test_an_accepted_applicant_is_a_member() -> None:
    events = accept(folded(MEMBERSHIP, [APPLIED]), BOB)

    assert events == [ApplicationAccepted(BOB), MemberJoined(BOB, "application", 1)]
    assert accept(folded(MEMBERSHIP, [APPLIED, *events]), BOB) == []


def test_an_accepted_return_counts_as_the_second_time() -> None:
    assert accept(folded(MEMBERSHIP, [BOB_JOINED, LEFT, APPLIED]), BOB)[1] == MemberJoined(BOB, "application", 2)


def test_nobody_is_accepted_or_declined_without_an_application() -> None:
    with pytest.raises(Conflict):
        decline(folded(MEMBERSHIP, [BOB_JOINED]), BOB, None)


def test_an_applicant_is_declined_with_a_reason() -> None:
    assert decline(folded(MEMBERSHIP, [APPLIED]), BOB, REASON) == [DECLINED]
    assert decline(folded(MEMBERSHIP, [APPLIED, DECLINED]), BOB, REASON) == []


def test_a_decision_to_decline_is_not_given_another_reason_later() -> None:
    with pytest.raises(Conflict):
        decline(folded(MEMBERSHIP, [APPLIED, DECLINED]), BOB, OTHER_REASON)


def test_the_roles_of_a_member_who_leaves_end_before_he_is_gone() -> None:
    before: list[MembershipEvent] = [BOB_JOINED, RoleGranted(BOB, "moderator"), RoleGranted(BOB, "administrator")]

    events = leave(folded(MEMBERSHIP, before), BOB)

    assert events == [RoleRevoked(BOB, "administrator"), RoleRevoked(BOB, "moderator"), LEFT]
    assert folded(MEMBERSHIP, [*before, *events]) == Membership("left", NOON, times_joined=1)


@pytest.mark.parametrize(
    ("admission", "can"), [("open", come), ("application", partial(ask, answers=ANSWERS, now=NOON))]
)
def test_one_comes_as_the_community_admits(admission: str, can: Callable[..., list[MembershipEvent]]) -> None:
    community = folded(COMMUNITY, [msgspec.structs.replace(FOUNDED, admission=admission)])
    assert can(None, community, BOB)
    other = partial(ask, answers=ANSWERS, now=NOON) if can is come else come
    with pytest.raises(Conflict, match="changed at the same moment"):
        other(None, community, BOB)
    assert can(folded(MEMBERSHIP, [BOB_JOINED]), community, BOB) == other(
        folded(MEMBERSHIP, [BOB_JOINED]), community, BOB
    )


def test_who_was_removed_asks_also_where_everybody_joins() -> None:
    state = folded(MEMBERSHIP, [BOB_JOINED, REMOVED])
    (applied,) = ask(state, folded(COMMUNITY, [FOUNDED]), BOB, ANSWERS, NOON)
    assert isinstance(applied, ApplicationSubmitted)
    assert (applied.member_id, applied.answers) == (BOB, ANSWERS)


def test_leaving_twice_changes_nothing() -> None:
    assert leave(folded(MEMBERSHIP, [BOB_JOINED, LEFT]), BOB) == []


def test_an_applicant_takes_the_application_and_its_answers_back_once() -> None:
    assert leave(folded(MEMBERSHIP, [APPLIED]), BOB) == [WITHDRAWN]
    assert leave(folded(MEMBERSHIP, [APPLIED, WITHDRAWN]), BOB) == []
    assert folded(MEMBERSHIP, [APPLIED, WITHDRAWN]) == Membership("withdrawn", NOON)


def test_an_application_that_was_taken_back_is_not_decided_and_its_sender_joins_where_it_is_open() -> None:
    state = folded(MEMBERSHIP, [BOB_JOINED, LEFT, APPLIED, WITHDRAWN])
    with pytest.raises(Conflict):
        accept(state, BOB)
    with pytest.raises(Conflict):
        decline(state, BOB, REASON)
    assert join(state, BOB) == [MemberJoined(BOB, "rejoining", 2)]


def test_who_was_removed_comes_back_by_an_accepted_application_only() -> None:
    removed: list[MembershipEvent] = [BOB_JOINED, REMOVED]
    assert folded(MEMBERSHIP, removed) == Membership("removed", NOON, times_joined=1, barred=True, reason=REASON)
    for before in (removed, [*removed, APPLIED], [*removed, APPLIED, WITHDRAWN], [*removed, APPLIED, DECLINED]):
        with pytest.raises(Conflict):
            join(folded(MEMBERSHIP, before), BOB)
    back = accept(folded(MEMBERSHIP, [*removed, APPLIED]), BOB)
    assert back[1] == MemberJoined(BOB, "application", 2)
    assert join(folded(MEMBERSHIP, [*removed, APPLIED, *back, LEFT]), BOB) == [MemberJoined(BOB, "rejoining", 3)]


def test_leaving_after_a_removal_changes_nothing() -> None:
    assert leave(folded(MEMBERSHIP, [BOB_JOINED, REMOVED]), BOB) == []


def test_a_robot_is_marked_and_unmarked_once_whatever_its_status() -> None:
    histories: list[list[MembershipEvent]] = [[BOB_JOINED], [APPLIED], [BOB_JOINED, LEFT], [BOB_JOINED, REMOVED]]
    for before in histories:
        state = folded(MEMBERSHIP, before)
        marked = folded(MEMBERSHIP, mark_robot(state, BOB), state)
        assert mark_robot(state, BOB) == [RobotMarked(BOB)]
        assert (marked.robot, marked.status, mark_robot(marked, BOB)) == (True, state.status, [])
        assert unmark_robot(marked, BOB) == [RobotUnmarked(BOB)]
        assert unmark_robot(state, BOB) == []


def test_a_robot_stays_one_when_it_goes_and_comes() -> None:
    assert folded(MEMBERSHIP, [BOB_JOINED, RobotMarked(BOB), LEFT, MemberJoined(BOB, "rejoining", 2)]).robot


@pytest.mark.parametrize("robot", [False, True])
def test_a_backfill_lets_in_who_never_came_or_has_applied_and_marks_who_is_there(robot: bool) -> None:
    mark = [RobotMarked(BOB)] if robot else []
    untouched: list[list[MembershipEvent]] = [[], [APPLIED]]
    for before in untouched:
        assert bring_in(folded(MEMBERSHIP, before), BOB, robot=robot) == [MemberJoined(BOB, "open", 1), *mark]
    assert bring_in(folded(MEMBERSHIP, [BOB_JOINED]), BOB, robot=robot) == mark
    assert bring_in(folded(MEMBERSHIP, [BOB_JOINED, RobotMarked(BOB)]), BOB, robot=robot) == []


@pytest.mark.parametrize(
    "before",
    [
        [BOB_JOINED, LEFT],
        [BOB_JOINED, REMOVED],
        [APPLIED, DECLINED],
        [APPLIED, WITHDRAWN],
        [BOB_JOINED, REMOVED, APPLIED],
        [BOB_JOINED, LEFT, APPLIED],
    ],
    ids=["left", "removed", "declined", "withdrawn", "removed and applying", "left and applying"],
)
def test_a_backfill_brings_nobody_back(before: list[MembershipEvent]) -> None:
    assert bring_in(folded(MEMBERSHIP, before), BOB, robot=True) == []
