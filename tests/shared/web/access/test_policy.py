"""The one decision, as a table: who asks, in what kind of community, and what becomes of each permission."""

from __future__ import annotations

from uuid import UUID

import pytest

from shared.replicas.standing import NOBODY, Community, Standing, Visibility
from shared.web.access.permissions import Requires, RequiresToken
from shared.web.access.policy import (
    BACKFILL_SCOPE,
    FOUND_SCOPE,
    OPERATE_SCOPE,
    PERMISSION_LEGEND,
    Permission,
    Requirement,
    permissions_of,
    refusal,
)

SCOPES = {
    "anonymous": None,
    "operator": frozenset({OPERATE_SCOPE}),
    "newcomer": frozenset({FOUND_SCOPE}),
    "importer": frozenset({BACKFILL_SCOPE}),
    "importing moderator": frozenset({BACKFILL_SCOPE}),
    "importing administrator": frozenset({BACKFILL_SCOPE}),
}
STANDINGS = {
    "applicant": Standing("applicant", frozenset()),
    "withdrawn": Standing("withdrawn", frozenset()),
    "declined": Standing("declined", frozenset()),
    "removed": Standing("removed", frozenset()),
    "left": Standing("left", frozenset()),
    "owner who left": Standing("left", frozenset({"owner"})),
    "member": Standing("member", frozenset()),
    "juggler": Standing("member", frozenset({"juggler"})),  # a role that no code knows
    "moderator": Standing("member", frozenset({"moderator"})),
    "administrator": Standing("member", frozenset({"administrator"})),
    "owner": Standing("member", frozenset({"owner"})),
    "importing moderator": Standing("member", frozenset({"moderator"})),
    "importing administrator": Standing("member", frozenset({"administrator"})),
}

# The columns are the permissions as the enumeration has them: authenticated, found, join, operate, acquainted,
# withdraw, read, contribute, moderate, administer, own, backfill. 200 stands for allowed.
PUBLIC: dict[str, tuple[int, ...]] = {
    "anonymous": (401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
    "stranger": (200, 403, 200, 403, 200, 403, 200, 403, 403, 403, 403, 403),
    "applicant": (200, 403, 200, 403, 200, 200, 200, 403, 403, 403, 403, 403),
    "withdrawn": (200, 403, 200, 403, 200, 200, 200, 403, 403, 403, 403, 403),
    "declined": (200, 403, 200, 403, 200, 200, 200, 403, 403, 403, 403, 403),
    "removed": (200, 403, 200, 403, 200, 200, 200, 403, 403, 403, 403, 403),
    "left": (200, 403, 200, 403, 200, 200, 200, 403, 403, 403, 403, 403),
    "owner who left": (200, 403, 200, 403, 200, 200, 200, 403, 403, 403, 403, 403),
    "member": (200, 403, 200, 403, 200, 200, 200, 200, 403, 403, 403, 403),
    "juggler": (200, 403, 200, 403, 200, 200, 200, 200, 403, 403, 403, 403),
    "moderator": (200, 403, 200, 403, 200, 200, 200, 200, 200, 403, 403, 403),
    "administrator": (200, 403, 200, 403, 200, 200, 200, 200, 200, 200, 403, 403),
    "owner": (200, 403, 200, 403, 200, 200, 200, 200, 200, 200, 200, 403),
    "newcomer": (200, 200, 200, 403, 200, 403, 200, 403, 403, 403, 403, 403),
    "importer": (200, 403, 200, 403, 200, 403, 200, 403, 403, 403, 403, 403),
    "importing moderator": (200, 403, 200, 403, 200, 200, 200, 200, 200, 403, 403, 403),
    "importing administrator": (200, 403, 200, 403, 200, 200, 200, 200, 200, 200, 403, 200),
    "operator": (200, 200, 200, 200, 200, 403, 200, 403, 403, 403, 403, 200),
}
FOR_MEMBERS: dict[str, tuple[int, ...]] = {
    "anonymous": (401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
    "stranger": (200, 403, 200, 403, 404, 404, 404, 404, 404, 404, 404, 404),
    "applicant": (200, 403, 200, 403, 200, 200, 404, 403, 403, 403, 403, 404),
    "withdrawn": (200, 403, 200, 403, 200, 200, 404, 404, 404, 404, 404, 404),
    "declined": (200, 403, 200, 403, 200, 200, 404, 404, 404, 404, 404, 404),
    "removed": (200, 403, 200, 403, 200, 200, 404, 404, 404, 404, 404, 404),
    "left": (200, 403, 200, 403, 200, 200, 404, 404, 404, 404, 404, 404),
    "owner who left": (200, 403, 200, 403, 200, 200, 404, 404, 404, 404, 404, 404),
    "member": (200, 403, 200, 403, 200, 200, 200, 200, 403, 403, 403, 403),
    "juggler": (200, 403, 200, 403, 200, 200, 200, 200, 403, 403, 403, 403),
    "moderator": (200, 403, 200, 403, 200, 200, 200, 200, 200, 403, 403, 403),
    "administrator": (200, 403, 200, 403, 200, 200, 200, 200, 200, 200, 403, 403),
    "owner": (200, 403, 200, 403, 200, 200, 200, 200, 200, 200, 200, 403),
    "newcomer": (200, 200, 200, 403, 404, 404, 404, 404, 404, 404, 404, 404),
    "importer": (200, 403, 200, 403, 404, 404, 404, 404, 404, 404, 404, 404),
    "importing moderator": (200, 403, 200, 403, 200, 200, 200, 200, 200, 403, 403, 403),
    "importing administrator": (200, 403, 200, 403, 200, 200, 200, 200, 200, 200, 403, 200),
    "operator": (200, 200, 200, 200, 200, 404, 200, 404, 404, 404, 404, 200),
}
OUTSIDE = (Permission.AUTHENTICATED, Permission.FOUND, Permission.OPERATE)


def community(visibility: Visibility, *, archived: bool = False) -> Community:
    return Community(UUID(int=1), "somewhere", visibility, "open", "UTC", archived)


def answer(who: str, asked: Requirement, where: Community | None) -> int:
    """The status of what becomes of it."""
    refused = refusal(asked, SCOPES.get(who, frozenset()), where, STANDINGS.get(who, NOBODY))
    return 200 if refused is None else refused.status


def answers(who: str, where: Community | None, *, even_archived: bool = False) -> tuple[int, ...]:
    return tuple(answer(who, Requirement(permission, even_archived), where) for permission in Permission)


@pytest.mark.parametrize(("who", "expected"), PUBLIC.items())
def test_a_public_community_is_read_by_everybody_with_a_token(who: str, expected: tuple[int, ...]) -> None:
    assert answers(who, community("public")) == expected


@pytest.mark.parametrize(("who", "expected"), FOR_MEMBERS.items())
def test_a_community_for_members_is_not_there_for_outsiders(who: str, expected: tuple[int, ...]) -> None:
    assert answers(who, community("members")) == expected


@pytest.mark.parametrize("visibility", ["public", "members"])
@pytest.mark.parametrize("who", PUBLIC)
def test_an_archived_community_refuses_the_same_and_takes_no_changes(who: str, visibility: Visibility) -> None:
    open_, archived = community(visibility), community(visibility, archived=True)
    changes = set(Permission) - {*OUTSIDE, Permission.READ, Permission.ACQUAINTED}
    expected = [
        409 if status == 200 and permission in changes else status
        for permission, status in zip(Permission, answers(who, open_), strict=True)
    ]
    if visibility == "members" and who in ("stranger", "newcomer", "importer"):
        expected[list(Permission).index(Permission.JOIN)] = 404  # that it is archived tells that it is there

    assert answers(who, archived) == tuple(expected)
    assert answers(who, archived, even_archived=True) == answers(who, open_)


@pytest.mark.parametrize("who", PUBLIC)
def test_in_a_community_that_is_not_there_nothing_is_found_and_the_token_still_counts(who: str) -> None:
    beside = dict(zip(Permission, answers(who, community("public")), strict=True))
    expected = [401 if who == "anonymous" else beside[asked] if asked in OUTSIDE else 404 for asked in Permission]

    assert answers(who, None) == tuple(expected)


@pytest.mark.parametrize("asked", [permission for permission in Permission if permission not in OUTSIDE])
def test_what_is_hidden_is_refused_in_the_words_for_what_is_not_there(asked: Permission) -> None:
    bodies = [
        refused.body()
        for where in (community("members"), community("members", archived=True), None)
        if (refused := refusal(Requirement(asked), frozenset(), where)) is not None and refused.status == 404
    ]

    assert all(body == bodies[0] for body in bodies)
    assert len(bodies) == (2 if asked is Permission.JOIN else 3)


def test_who_is_refused_is_told_what_to_do() -> None:
    def detail(who: str, permission: Permission, where: Community | None = None) -> str:
        refused = refusal(
            Requirement(permission),
            SCOPES.get(who, frozenset()),
            where or community("public"),
            STANDINGS.get(who, NOBODY),
        )
        return "" if refused is None else refused.detail

    assert "Authorization: Bearer" in detail("anonymous", Permission.READ)
    assert detail("owner", Permission.OPERATE) == "This needs a token with the scope guildhall:operate."
    assert detail("owner", Permission.FOUND) == "Founding a community needs a token with the scope guildhall:found."
    assert detail("stranger", Permission.CONTRIBUTE) == "Join the community first."
    assert detail("applicant", Permission.CONTRIBUTE) == "Your application to this community is still pending."
    assert detail("member", Permission.MODERATE) == "This needs the role moderator or administrator or owner."
    assert detail("owner", Permission.BACKFILL) == "A backfill needs a token with the scope guildhall:backfill."
    assert "role owner or administrator" in detail("importer", Permission.BACKFILL)
    assert "archived" in detail("owner", Permission.OWN, community("public", archived=True))


def test_roles_of_somebody_who_left_permit_nothing() -> None:
    assert permissions_of(STANDINGS["owner who left"]) == frozenset()
    assert Permission.OWN in permissions_of(STANDINGS["owner"])


def test_a_requirement_is_declared_where_it_can_be_judged() -> None:
    """In no community there is no role to judge by, and beside one a token's word would let anybody in."""
    for permission in Permission:
        requirement = Requirement(permission)
        right, other = (RequiresToken, Requires) if permission in OUTSIDE else (Requires, RequiresToken)
        assert right(requirement).requirement == requirement
        with pytest.raises(TypeError, match=permission):
            other(requirement)


LADDER = ("stranger", "left", "member", "moderator", "administrator", "owner")


@pytest.mark.parametrize("even_archived", [False, True])
@pytest.mark.parametrize("permission", Permission)
def test_what_is_told_of_a_requirement_is_what_is_decided(permission: Permission, even_archived: bool) -> None:
    """Who reads `x-permission` knows, without our code, who passes where."""
    asked = Requirement(permission, even_archived)
    told = asked.described()
    scopes = frozenset({str(told["scope"])} if "scope" in told else ())

    def passes(who: str, where: Community | None, scopes: frozenset[str] = scopes) -> bool:
        return refusal(asked, scopes, where, STANDINGS.get(who, NOBODY)) is None

    for where in (community("public"), community("members")):
        reader = "stranger" if where.visibility == "public" else "member"
        least = {"anyone": "stranger", "operator": "stranger", "reader": reader, "participant": "left"}
        least["acquainted"] = min(reader, "left", key=LADDER.index)
        rank = LADDER.index(least.get(who := str(told["who"]), who))
        assert [passes(who, where) for who in LADDER] == [at >= rank for at in range(len(LADDER))]
    if "scope" in told:
        assert not passes("owner", community("public"), frozenset())
    assert passes("owner", None) == ("in" not in told)
    assert passes("owner", community("public", archived=True)) == ("even_archived" in told or "in" not in told)


@pytest.mark.parametrize("permission", Permission)
def test_how_it_is_read_explains_every_word(permission: Permission) -> None:
    told = Requirement(permission, even_archived=True).described()

    for word in (*told, told["who"], told.get("in", "community")):
        assert f"`{word}`" in PERMISSION_LEGEND
