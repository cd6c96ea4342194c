"""Communities: founded once under a slug, described as a whole, archived, never without an owner."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from services.member.communities.domain import (
    COMMUNITY,
    Description,
    add_owner,
    archive,
    describe,
    found,
    remove_owner,
)
from services.member.events import CommunityArchived, CommunityDescribed, RoleRevoked
from shared.events.errors import Conflict
from tests.given import folded
from tests.member.people import ALICE, ALICE_OWNS, BOB, BOB_OWNS, DESCRIPTION, FOUNDED

NEW = replace(DESCRIPTION, name="Gardens", admission="application")
DESCRIBED = CommunityDescribed("Gardens", "Growing things together", "en", "Europe/Paris", "public", "application")


def test_a_founded_community_is_owned_by_its_founder() -> None:
    assert found(None, "garden", DESCRIPTION, ALICE) == [FOUNDED, ALICE_OWNS]


def test_the_same_founding_by_the_same_founder_changes_nothing() -> None:
    assert found(folded(COMMUNITY, [FOUNDED, ALICE_OWNS]), "garden", DESCRIPTION, ALICE) == []


def test_a_founding_repeated_after_a_new_description_is_still_the_same_founding() -> None:
    assert found(folded(COMMUNITY, [FOUNDED, ALICE_OWNS, DESCRIBED]), "garden", DESCRIPTION, ALICE) == []


@pytest.mark.parametrize(("founder", "description"), [(BOB, DESCRIPTION), (ALICE, NEW)])
def test_a_slug_that_is_taken_is_named_in_the_refusal(founder: UUID, description: Description) -> None:
    with pytest.raises(Conflict) as refusal:
        found(folded(COMMUNITY, [FOUNDED, ALICE_OWNS]), "garden", description, founder)
    assert refusal.value.pointer == "/slug"


def test_a_description_is_replaced_as_a_whole() -> None:
    assert describe(folded(COMMUNITY, [FOUNDED]), NEW) == [DESCRIBED]


def test_describing_a_community_as_it_is_changes_nothing() -> None:
    assert describe(folded(COMMUNITY, [FOUNDED, DESCRIBED]), NEW) == []


def test_an_archived_community_is_not_described_any_more() -> None:
    with pytest.raises(Conflict):
        describe(folded(COMMUNITY, [FOUNDED, CommunityArchived()]), NEW)


def test_a_community_admits_by_its_description() -> None:
    assert folded(COMMUNITY, [FOUNDED]).description.admission == "open"
    assert folded(COMMUNITY, [FOUNDED, DESCRIBED]).description.admission == "application"


def test_a_community_is_archived_once() -> None:
    assert archive(folded(COMMUNITY, [FOUNDED])) == [CommunityArchived()]
    assert archive(folded(COMMUNITY, [FOUNDED, CommunityArchived()])) == []


def test_a_second_owner_is_added_once() -> None:
    assert add_owner(folded(COMMUNITY, [FOUNDED, ALICE_OWNS]), BOB) == [BOB_OWNS]
    assert add_owner(folded(COMMUNITY, [FOUNDED, ALICE_OWNS, BOB_OWNS]), BOB) == []


def test_one_of_two_owners_may_be_removed() -> None:
    assert remove_owner(folded(COMMUNITY, [FOUNDED, ALICE_OWNS, BOB_OWNS]), ALICE) == [RoleRevoked(ALICE, "owner")]


def test_the_last_owner_cannot_be_removed() -> None:
    with pytest.raises(Conflict):
        remove_owner(folded(COMMUNITY, [FOUNDED, ALICE_OWNS]), ALICE)


def test_removing_an_owner_who_is_none_changes_nothing() -> None:
    assert remove_owner(folded(COMMUNITY, [FOUNDED, ALICE_OWNS]), BOB) == []
