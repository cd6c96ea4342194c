"""An application that nobody decides is spoken of each day at six, and expires after the days the community takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from services.member.communities.domain import COMMUNITY, Community
from services.member.events import (
    ApplicationAccepted,
    ApplicationDeclined,
    ApplicationExpired,
    ApplicationSubmitted,
    ApplicationWaits,
    ApplicationWithdrawn,
    CommunityArchived,
    MemberJoined,
)
from services.member.membership.domain import MEMBERSHIP, Membership, MembershipEvent, ask, expire, leave, remind, words
from services.member.processes.applications import APPLICATIONS, ExpireApplication, RemindOfApplication, react
from shared.events.event import Recorded, encode_data, wire_name
from shared.processes.process_manager import Timer, decoder_of, issued
from tests.given import NOON, folded
from tests.member.people import BOB, FOUNDED, GARDEN
from tests.member.people import words as text
from tests.member.records import recorded

ANSWERS = text(1)
IN_TEN_DAYS = NOON + timedelta(days=10)
APPLIED = ApplicationSubmitted(BOB, ANSWERS, IN_TEN_DAYS, NOON + timedelta(days=3))


def community(*more: object, **changes: object) -> Community:
    return folded(COMMUNITY, [msgspec.structs.replace(FOUNDED, admission="application", **changes), *more])


def applicant(*more: MembershipEvent) -> Membership:
    return folded(MEMBERSHIP, [APPLIED, *more])


@pytest.mark.parametrize(
    ("days", "zone", "expires", "reminds"),
    [
        (0, "Europe/Paris", None, "2026-03-04T05:00:00Z"),
        (10, "Europe/Paris", IN_TEN_DAYS, "2026-03-04T05:00:00Z"),
        (365, "Asia/Shanghai", NOON + timedelta(days=365), "2026-03-03T22:00:00Z"),
    ],
)
def test_an_application_says_when_it_expires_and_when_it_is_first_spoken_of(
    days: int, zone: str, expires: datetime | None, reminds: str
) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    asked = community(application_days=days, time_zone=zone)
    moved = None if expires is None else expires - NOON + now
    assert ask(None, asked, BOB, ANSWERS, now) == [
        ApplicationSubmitted(BOB, ANSWERS, moved, datetime.fromisoformat(reminds))
    ]


def test_its_timers_follow_from_it() -> None:
    expires, reminds = Timer(IN_TEN_DAYS, ExpireApplication(BOB, NOON)), RemindOfApplication(BOB, NOON)
    assert list(react(APPLIED, recorded(APPLIED))) == [Timer(NOON + timedelta(days=3), reminds), expires]
    assert list(react(ApplicationSubmitted(BOB, ANSWERS), recorded(APPLIED))) == []
    waits = ApplicationWaits(BOB, NOON, NOON + timedelta(days=4))
    assert list(react(waits, recorded(waits))) == [Timer(NOON + timedelta(days=4), reminds)]
    assert decoder_of(APPLICATIONS.commands).decode(issued("applications", recorded(APPLIED), 0, expires).command) == (
        expires.command
    )


def test_it_expires_and_its_words_go_and_one_may_apply_again() -> None:
    assert expire(applicant(), community(), BOB, NOON) == [ApplicationExpired(BOB)]
    expired = applicant(ApplicationExpired(BOB))
    assert (expired.status, list(words(expired)), leave(expired, BOB)) == ("expired", [], [])
    assert ask(expired, community(), BOB, None, NOON)


@pytest.mark.parametrize(
    "since",
    [
        [ApplicationWithdrawn(BOB)],
        [ApplicationDeclined(BOB, None)],
        [ApplicationAccepted(BOB), MemberJoined(BOB, "application", 1)],
        [ApplicationExpired(BOB)],
    ],
    ids=lambda events: type(events[0]).__name__,
)
def test_what_was_decided_meanwhile_neither_expires_nor_is_spoken_of(since: list[MembershipEvent]) -> None:
    assert expire(applicant(*since), community(), BOB, NOON) == []
    assert remind(applicant(*since), community(), BOB, NOON, IN_TEN_DAYS) == []


def test_a_later_application_is_not_ended_by_the_timer_of_an_earlier_one() -> None:
    earlier = NOON - timedelta(days=30)
    assert expire(applicant(), community(), BOB, earlier) == []
    assert remind(applicant(), community(), BOB, earlier, IN_TEN_DAYS) == []


def test_in_an_archived_community_nothing_happens() -> None:
    archived = community(CommunityArchived())
    assert expire(applicant(), archived, BOB, NOON) == []
    assert remind(applicant(), archived, BOB, NOON, IN_TEN_DAYS) == []
    assert expire(None, community(), BOB, NOON) == []


def test_it_is_spoken_of_once_at_a_time_and_again_at_the_next_six_oclock_of_the_community() -> None:
    at = datetime(2026, 3, 28, 5, tzinfo=UTC)  # six in Paris; the night after, the clocks go forward
    (waits,) = remind(applicant(), community(), BOB, NOON, at)
    assert waits == ApplicationWaits(BOB, NOON, datetime(2026, 3, 29, 4, tzinfo=UTC))
    assert remind(applicant(waits), community(), BOB, NOON, NOON) == []
    assert remind(applicant(waits), community(), BOB, NOON, IN_TEN_DAYS)


def test_the_commands_decide_what_the_aggregate_does() -> None:
    decider, stream = ExpireApplication(BOB, NOON).target(GARDEN)
    assert (decider, [id_ for _, id_ in ExpireApplication(BOB, NOON).on(GARDEN)]) == (MEMBERSHIP, [GARDEN])
    assert stream == RemindOfApplication(BOB, NOON).target(GARDEN)[1]
    assert ExpireApplication(BOB, NOON).decide(applicant(), IN_TEN_DAYS, community()) == [ApplicationExpired(BOB)]
    (waits,) = RemindOfApplication(BOB, NOON).decide(applicant(), IN_TEN_DAYS, community())
    assert isinstance(waits, ApplicationWaits)


def test_what_is_said_is_read_as_it_was_said() -> None:
    record: Recorded = recorded(APPLIED)
    read = APPLICATIONS.catalogue.decode(wire_name(ApplicationSubmitted), encode_data(APPLIED))
    assert (read, record.occurred_at) == (APPLIED, NOON)
