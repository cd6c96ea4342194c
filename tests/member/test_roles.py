"""Roles: who may grant and revoke which, and that nobody grants what he lacks."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.member.communities.domain import COMMUNITY
from services.member.events import MemberLeft, MemberRemoved, RoleGranted, RoleRevoked
from services.member.membership.domain import MEMBERSHIP, Membership
from services.member.roles.domain import (
    GRANTERS,
    Holder,
    grant,
    grant_ownership,
    holder,
    remove,
    revoke,
    revoke_ownership,
)
from shared.events.errors import Conflict, Forbidden, NotFound
from tests.given import NOON, folded
from tests.member.people import ALICE, ALICE_OWNS, BOB, BOB_JOINED, BOB_OWNS, CAROL, FOUNDED, words

OWNER = Holder(ALICE, frozenset({"owner"}))
ADMINISTRATOR = Holder(CAROL, frozenset({"administrator"}))
MODERATOR = Holder(CAROL, frozenset({"moderator"}))
MEMBER = Holder(CAROL, frozenset())

BOB_IS_HERE = folded(MEMBERSHIP, [BOB_JOINED])
BOB_MODERATES = folded(MEMBERSHIP, [BOB_JOINED, RoleGranted(BOB, "moderator")])
BOB_ADMINISTERS = folded(MEMBERSHIP, [BOB_JOINED, RoleGranted(BOB, "administrator")])
ALICE_ALONE = folded(COMMUNITY, [FOUNDED, ALICE_OWNS])
BOTH_OWN = folded(COMMUNITY, [FOUNDED, ALICE_OWNS, BOB_OWNS])


@pytest.mark.parametrize("by", [OWNER, ADMINISTRATOR])
def test_owners_and_administrators_make_moderators(by: Holder) -> None:
    assert grant(BOB_IS_HERE, "moderator", BOB, by) == [RoleGranted(BOB, "moderator")]


def test_an_owner_makes_an_administrator() -> None:
    assert grant(BOB_IS_HERE, "administrator", BOB, OWNER) == [RoleGranted(BOB, "administrator")]


@pytest.mark.parametrize(
    ("role", "by"),
    [
        ("administrator", ADMINISTRATOR),
        ("administrator", MODERATOR),
        ("administrator", MEMBER),
        ("moderator", MODERATOR),
        ("moderator", MEMBER),
    ],
)
def test_nobody_else_grants_or_revokes_a_role(role: str, by: Holder) -> None:
    with pytest.raises(Forbidden):
        grant(BOB_IS_HERE, role, BOB, by)
    with pytest.raises(Forbidden):
        revoke(BOB_MODERATES, role, BOB, by)


@pytest.mark.parametrize("by", [ADMINISTRATOR, MODERATOR, MEMBER])
def test_only_an_owner_makes_or_removes_owners(by: Holder) -> None:
    with pytest.raises(Forbidden):
        grant_ownership(ALICE_ALONE, BOB, BOB_IS_HERE, by)
    with pytest.raises(Forbidden):
        revoke_ownership(BOTH_OWN, BOB, by)


def test_an_owner_shares_the_ownership() -> None:
    assert grant_ownership(ALICE_ALONE, BOB, BOB_IS_HERE, OWNER) == [BOB_OWNS]


def test_a_role_that_is_held_is_not_granted_again() -> None:
    assert grant(BOB_MODERATES, "moderator", BOB, OWNER) == []
    assert grant_ownership(BOTH_OWN, BOB, BOB_IS_HERE, OWNER) == []


@pytest.mark.parametrize("absent", [Membership("applicant", NOON), folded(MEMBERSHIP, [BOB_JOINED, MemberLeft(BOB)])])
def test_only_those_who_are_here_get_a_role(absent: Membership) -> None:
    with pytest.raises(Conflict):
        grant(absent, "moderator", BOB, OWNER)
    with pytest.raises(Conflict):
        grant_ownership(ALICE_ALONE, BOB, absent, OWNER)


def test_nobody_gets_a_role_who_never_came() -> None:
    with pytest.raises(NotFound):
        grant(None, "moderator", BOB, OWNER)
    with pytest.raises(NotFound):
        grant_ownership(ALICE_ALONE, BOB, None, OWNER)


def test_a_role_is_revoked_once() -> None:
    assert revoke(BOB_MODERATES, "moderator", BOB, ADMINISTRATOR) == [RoleRevoked(BOB, "moderator")]
    assert revoke(BOB_IS_HERE, "moderator", BOB, ADMINISTRATOR) == []


def test_anybody_may_lay_down_his_own_role() -> None:
    bob = holder(BOB, ALICE_ALONE, BOB_ADMINISTERS)
    assert revoke(BOB_ADMINISTERS, "administrator", BOB, bob) == [RoleRevoked(BOB, "administrator")]


def test_laying_a_role_down_twice_changes_nothing_although_the_right_went_with_it() -> None:
    assert revoke(BOB_IS_HERE, "administrator", BOB, holder(BOB, ALICE_ALONE, BOB_IS_HERE)) == []
    assert revoke_ownership(ALICE_ALONE, BOB, holder(BOB, ALICE_ALONE, BOB_IS_HERE)) == []


def test_an_owner_may_go_when_another_stays_and_the_last_may_not() -> None:
    assert revoke_ownership(BOTH_OWN, ALICE, OWNER) == [RoleRevoked(ALICE, "owner")]
    with pytest.raises(Conflict):
        revoke_ownership(ALICE_ALONE, ALICE, OWNER)


def test_roles_are_counted_by_both_streams_while_the_member_is_here() -> None:
    assert holder(BOB, BOTH_OWN, BOB_MODERATES).roles == {"owner", "moderator"}
    assert holder(BOB, BOTH_OWN, folded(MEMBERSHIP, [BOB_JOINED, MemberLeft(BOB)])).roles == frozenset()


def test_whoever_may_grant_a_role_could_do_all_that_it_allows() -> None:
    rank = {"owner": 3, "administrator": 2, "moderator": 1}
    assert all(rank[granter] >= rank[role] for role, granters in GRANTERS.items() for granter in granters)


RANKED = ["member", "moderator", "administrator", "owner"]


def of_rank(member_id: UUID, rank: str) -> Holder:
    return Holder(member_id, frozenset() if rank == "member" else frozenset({rank}))


@pytest.mark.parametrize("who", RANKED)
@pytest.mark.parametrize("by", RANKED)
def test_those_are_removed_who_stand_below(by: str, who: str) -> None:
    granted = [RoleGranted(BOB, who)] if who in ("moderator", "administrator") else []
    state = folded(MEMBERSHIP, [BOB_JOINED, *granted])
    if RANKED.index(by) > RANKED.index(who):
        revoked = [RoleRevoked(BOB, who)] if granted else []
        removed = remove(state, of_rank(BOB, who), words(1), of_rank(ALICE, by))
        assert removed == [*revoked, MemberRemoved(BOB, ALICE, words(1))]
        gone = folded(MEMBERSHIP, removed, state)
        assert (gone.status, gone.roles) == ("removed", frozenset())
        assert remove(gone, of_rank(BOB, "member"), None, of_rank(CAROL, by)) == []
    else:
        with pytest.raises(Forbidden):
            remove(state, of_rank(BOB, who), None, of_rank(ALICE, by))


@pytest.mark.parametrize("by", RANKED)
def test_nobody_removes_themselves(by: str) -> None:
    with pytest.raises(Forbidden, match="Leave"):
        remove(BOB_IS_HERE, of_rank(BOB, by), None, of_rank(BOB, by))


def test_only_who_is_here_is_removed() -> None:
    with pytest.raises(NotFound):
        remove(None, of_rank(BOB, "member"), None, MODERATOR)
    for status in ("applicant", "withdrawn", "declined", "left"):
        with pytest.raises(Conflict):
            remove(Membership(status, NOON), of_rank(BOB, "member"), None, OWNER)
