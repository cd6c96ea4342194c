"""The member service's views: each event gives the changes that a reader of the lists expects."""

from __future__ import annotations

from typing import Any

from services.member import events
from services.member.read_models import community_list as communities
from services.member.read_models import roster as members
from services.member.read_models.community_list import COMMUNITY_LIST, community_list
from services.member.read_models.roster import ROSTER, profile_words, role_holder, roster
from shared.events.catalogue import Catalogue
from shared.events.event import wire_name
from shared.projections.read_model import Change, add, drop, put
from tests.member.people import ALICE, ALICE_OWNS, BOB, BOB_JOINED, FOUNDED, GARDEN, words
from tests.member.records import NOON, recorded


def roster_changes(event: Any, version: int = 1) -> list[Change]:
    return list(members.fold(event, recorded(event, version)))


def list_changes(event: Any, version: int = 1) -> list[Change]:
    return list(communities.fold(event, recorded(event, version)))


def test_the_roster_knows_each_status_and_since_when() -> None:
    for event, status in [
        (BOB_JOINED, "member"),
        (events.ApplicationSubmitted(BOB, None), "applicant"),
        (events.ApplicationWithdrawn(BOB), "withdrawn"),
        (events.ApplicationDeclined(BOB, None), "declined"),
        (events.ApplicationExpired(BOB), "expired"),
        (events.MemberLeft(BOB), "left"),
        (events.MemberRemoved(BOB, ALICE, None), "removed"),
    ]:
        imported = {"imported_by": None} if event is BOB_JOINED else {}
        assert roster_changes(event, 3) == [put(roster, (GARDEN, BOB), 3, status=status, since=NOON, **imported)]


def test_the_roster_knows_who_is_a_robot() -> None:
    assert roster_changes(events.RobotMarked(BOB), 3) == [put(roster, (GARDEN, BOB), 3, robot=True)]
    assert roster_changes(events.RobotUnmarked(BOB), 4) == [put(roster, (GARDEN, BOB), 4, robot=False)]


def test_the_roster_knows_who_holds_a_role_until_it_is_revoked() -> None:
    assert roster_changes(ALICE_OWNS, 2) == [put(role_holder, (GARDEN, "owner", ALICE), 2, since=NOON)]
    assert roster_changes(events.RoleRevoked(ALICE, "owner"), 4) == [drop(role_holder, (GARDEN, "owner", ALICE), 4)]


def test_the_roster_keeps_where_the_words_of_a_profile_are_and_none_of_them() -> None:
    event = events.ProfileUpdated(BOB, words(7), ["bio"])
    assert roster_changes(event) == [put(profile_words, (GARDEN, BOB), 1, ref=words(7).ref)]


def test_the_list_shows_a_community_as_it_was_founded_and_then_described() -> None:
    described = {
        "name": "Garden",
        "purpose": "Growing things together",
        "language": "en",
        "time_zone": "Europe/Paris",
        "visibility": "public",
        "admission": "open",
        "application_days": 0,
    }
    again = events.CommunityDescribed("Gardens", "More", "fr", "UTC", "members", "application")

    assert list_changes(FOUNDED) == [
        put(community_list, (GARDEN,), 1, slug="garden", founded_at=NOON, archived=False, **described)
    ]
    assert list_changes(again, 5) == [
        put(
            community_list,
            (GARDEN,),
            5,
            name="Gardens",
            application_days=0,
            purpose="More",
            language="fr",
            time_zone="UTC",
            visibility="members",
            admission="application",
        )
    ]
    assert list_changes(events.CommunityArchived(), 6) == [put(community_list, (GARDEN,), 6, archived=True)]


def test_the_list_counts_who_is_here() -> None:
    assert list_changes(BOB_JOINED) == [add(community_list, (GARDEN,), members=1)]
    for event in (events.MemberLeft(BOB), events.MemberRemoved(BOB, ALICE, None)):
        assert list_changes(event) == [add(community_list, (GARDEN,), members=-1)]


def test_together_the_views_take_every_event_but_those_that_change_no_list() -> None:
    """An acceptance is followed by a joining, and that an application waits changes no status; imports are the numbers'
    business, and erasure is the directory's.
    """
    taken = {wire_name(event) for event in {*ROSTER.events, *COMMUNITY_LIST.events}}
    others = (
        events.ApplicationAccepted,
        events.ApplicationWaits,
        events.ImportWithdrawn,
        events.ImportRestored,
        events.MemberErased,
    )
    assert set(Catalogue.of(events).events) - taken == {wire_name(event) for event in others}
