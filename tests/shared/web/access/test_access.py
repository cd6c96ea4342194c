"""Access: one table says who may do what, in every standing, and nobody learns of what is not theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from uuid import UUID

import pytest
from fastapi import APIRouter

from shared.events.identity import community_id, derived_id, member_id
from shared.service.service import Service
from shared.tables import service_metadata
from shared.web.access.permissions import declared, undeclared
from shared.web.access.policy import ROLE_PERMISSIONS, Permission, Requirement
from tests.conftest import FreshDatabase
from tests.shared.issuer import bearer, token, write_key_set
from tests.shared.toy_api import Api, toy_api
from tests.shared.toy_service import SERVICE, router

COMMUNITIES: dict[str, dict[str, object]] = {
    "open-square": {"visibility": "public"},
    "back-room": {"visibility": "members"},
    "old-square": {"visibility": "public", "archived": True},
}
STANDINGS = {
    "founder": ("member", "owner"),
    "admin": ("member", "administrator"),
    "mod": ("member", "moderator"),
    "alice": ("member",),
    "waiting": ("applicant",),
    "refused": ("declined",),
    "gone": ("left",),
    "banished": ("left", "owner"),
}


@pytest.fixture(scope="module")
async def api(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with fresh_database(SERVICE.metadata) as settings, toy_api(settings, jwks) as api:
        for slug, described in COMMUNITIES.items():
            await api.community(slug, **described)
            for subject, standing in STANDINGS.items():
                await api.standing(slug, subject, *standing)
        with api.caught_up():
            yield api


READ = ("GET", "/me")
JOIN = ("POST", "/welcome")
CONTRIBUTE = ("POST", "/accounts")
MODERATE = ("DELETE", "/accounts/{account}")
OWN = ("POST", "/treasure")

# Who, where, and the status of: reading, joining, contributing, moderating, owning. 200 stands for any success.
POLICY = [
    ("founder", "open-square", 200, 200, 200, 200, 200),
    ("admin", "open-square", 200, 200, 200, 200, 403),
    ("mod", "open-square", 200, 200, 200, 200, 403),
    ("alice", "open-square", 200, 200, 200, 403, 403),
    ("waiting", "open-square", 200, 200, 403, 403, 403),
    ("refused", "open-square", 200, 200, 403, 403, 403),
    ("gone", "open-square", 200, 200, 403, 403, 403),
    ("banished", "open-square", 200, 200, 403, 403, 403),
    ("stranger", "open-square", 200, 200, 403, 403, 403),
    ("founder", "back-room", 200, 200, 200, 200, 200),
    ("alice", "back-room", 200, 200, 200, 403, 403),
    ("waiting", "back-room", 404, 200, 403, 403, 403),
    ("refused", "back-room", 404, 200, 404, 404, 404),
    ("banished", "back-room", 404, 200, 404, 404, 404),
    ("stranger", "back-room", 404, 200, 404, 404, 404),
    ("founder", "old-square", 200, 409, 409, 409, 409),
    ("stranger", "old-square", 200, 409, 403, 403, 403),
    ("founder", "nowhere", 404, 404, 404, 404, 404),
]


@pytest.mark.parametrize(("subject", "community", "reading", "joining", "contributing", "moderating", "owning"), POLICY)
async def test_the_policy_holds_in_every_standing(
    api: Api, subject: str, community: str, reading: int, joining: int, contributing: int, moderating: int, owning: int
) -> None:
    expected = [reading, joining, contributing, moderating, owning]
    answers = []
    for method, path in (READ, JOIN, CONTRIBUTE, MODERATE, OWN):
        below = path.format(account=derived_id("account of", community))
        answer = await api.call(method, f"/v1/communities/{community}{below}", subject)
        answers.append(200 if answer.is_success else answer.status_code)

    assert answers == expected


async def test_a_refusal_says_what_to_do(api: Api) -> None:
    async def detail(subject: str, path: str = "/accounts", community: str = "open-square") -> str:
        answer = await api.call("POST", f"/v1/communities/{community}{path}", subject)
        return str(answer.json()["detail"])

    assert await detail("stranger") == "Join the community first."
    assert await detail("waiting") == "Your application to this community is still pending."
    assert await detail("alice", "/treasure") == "This needs the role owner."
    assert await detail("founder", community="old-square") == "The community is archived and takes no more changes."


async def test_what_revives_an_archived_community_is_let_through(api: Api) -> None:
    assert (await api.call("POST", "/v1/communities/old-square/revival", "founder")).status_code == 200
    assert (await api.call("POST", "/v1/communities/old-square/revival", "alice")).status_code == 403


async def test_slug_and_id_name_the_same_community(api: Api) -> None:
    by_slug = await api.call("GET", "/v1/communities/back-room/me")
    by_id = await api.call("GET", f"/v1/communities/{community_id('back-room')}/me")

    assert (
        by_slug.json()
        == by_id.json()
        == {
            "id": str(api.member("back-room", "alice")),
            "status": "member",
            "roles": [],
        }
    )


@pytest.mark.parametrize("name", ["UPPER", "-dash", "dash-", "a" * 64, "ü", "a b", "a%00b", "..", "%2e%2e", "0" * 36])
async def test_what_is_no_name_of_a_community_is_not_found(api: Api, name: str) -> None:
    assert (await api.call("GET", f"/v1/communities/{name}/me")).status_code in (404, 422)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer not.a.token", "bearer a.b.c"])
async def test_without_a_good_token_nothing_is_told(api: Api, header: str) -> None:
    headers = {"authorization": header} if header else {}
    answer = await api.client.get("/v1/communities/nowhere/me", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith('Bearer realm="guildhall"')
    assert ("invalid_token" in answer.headers["www-authenticate"]) == (answer.json()["type"].endswith("invalid-token"))


async def test_two_tokens_at_once_are_none(api: Api) -> None:
    headers = [("authorization", f"Bearer {token('alice')}"), ("authorization", f"Bearer {token('founder')}")]

    assert (await api.client.get("/v1/communities/open-square/me", headers=headers)).status_code == 401


async def test_an_operator_reads_everything_and_calls_what_is_for_operators(api: Api) -> None:
    headers = bearer("op", scope="guildhall:operate")

    assert (await api.client.get("/v1/communities/back-room/me", headers=headers)).status_code == 200
    assert (await api.client.get("/v1/toys", headers=headers)).status_code == 200
    assert (await api.call("GET", "/v1/toys")).status_code == 403


@pytest.mark.parametrize(
    ("subject", "scope", "community", "status"),
    [
        ("founder", "guildhall:backfill", "open-square", 200),
        ("admin", "guildhall:backfill", "open-square", 200),
        ("mod", "guildhall:backfill", "open-square", 403),
        ("stranger", "guildhall:backfill", "open-square", 403),
        ("founder", "", "open-square", 403),
        ("stranger", "guildhall:operate", "open-square", 200),
        ("stranger", "guildhall:operate", "back-room", 200),
        ("stranger", "guildhall:backfill", "back-room", 404),
        ("founder", "guildhall:backfill", "old-square", 200),
    ],
)
async def test_a_backfill_needs_its_scope_and_a_role_or_an_operator(
    api: Api, subject: str, scope: str, community: str, status: int
) -> None:
    headers = {**bearer(subject, scope=scope), "content-type": "application/x-ndjson"}
    answer = await api.client.post(f"/v1/communities/{community}/toy/backfill", headers=headers)

    assert answer.status_code == status


def test_higher_roles_permit_all_that_lower_ones_do() -> None:
    ladder = [ROLE_PERMISSIONS[role] for role in ("member", "moderator", "administrator", "owner")]

    assert all(lower < higher for lower, higher in pairwise(ladder))
    assert Permission.OWN in ladder[-1]


def test_every_operation_declares_one_permission() -> None:
    assert undeclared(SERVICE.routers) == []
    assert {route.path: declared(route) for route in router.routes if route.path == "/treasure"} == {  # type: ignore[attr-defined,arg-type]
        "/treasure": {Requirement(Permission.OWN)}
    }


def test_a_service_with_an_operation_that_declares_none_is_refused() -> None:
    forgetful = APIRouter()

    @forgetful.get("/open-door")
    async def open_door() -> None:
        """Anybody may."""

    with pytest.raises(TypeError, match="GET /open-door"):
        Service(name="forgetful", metadata=service_metadata(facts=True), routers=(forgetful,))


def test_member_ids_differ_by_community_issuer_subject_and_secret() -> None:
    here, there = derived_id("community", "here"), derived_id("community", "there")
    ids = {
        member_id(b"s", here, "i", "a"),
        member_id(b"s", there, "i", "a"),
        member_id(b"t", here, "i", "a"),
        member_id(b"s", here, "i", "b"),
        member_id(b"s", here, "j", "a"),
        member_id(b"s", here, "ia", ""),
        member_id(b"s", here, "", "ia"),
    }

    assert len(ids) == 7
    assert {(found.version, found.variant) for found in ids} == {(8, "specified in RFC 4122")}


def test_a_member_id_never_changes() -> None:
    """Known answer: were it to change, every member of every installation would be somebody new."""
    expected = UUID("d8e2244d-7922-8114-a9e3-7e63fc4563ed")

    assert member_id(b"secret", derived_id("community", "french-meta"), "guildhall-local", "alice") == expected
