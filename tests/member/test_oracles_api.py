"""A community for members and one that is not there are the same to an outsider, in all that is answered."""

from __future__ import annotations

from uuid import UUID, uuid4

import httpx2 as httpx
import pytest

from tests.member.api import Json, found, founding, join
from tests.member.running import Api

SOMEBODY = UUID("449877b2-5805-4ec5-83d8-e5ac632a7b3c")
ASKED: list[tuple[str, str, Json | None]] = [
    ("GET", "", None),
    ("PATCH", "", {"name": "Meadow"}),
    ("PATCH", "", {"name": 7}),
    ("POST", "/archive", None),
    ("GET", "/members", None),
    ("GET", "/members?status=applicant", None),
    ("GET", "/members/me", None),
    ("DELETE", "/members/me", None),
    ("GET", f"/members/{SOMEBODY}", None),
    ("DELETE", f"/members/{SOMEBODY}", {"reason": "Advertising."}),
    ("POST", f"/members/{SOMEBODY}/acceptance", None),
    ("POST", f"/members/{SOMEBODY}/decline", None),
    ("PUT", f"/members/{SOMEBODY}/robot", None),
    ("DELETE", f"/members/{SOMEBODY}/robot", None),
    ("GET", "/members/me/profile", None),
    ("PUT", "/members/me/profile", {"display_name": "Ada"}),
    ("DELETE", "/members/me/profile", None),
    ("GET", "/roles", None),
    ("PUT", f"/roles/moderator/members/{SOMEBODY}", None),
    ("DELETE", "/roles/owner/members/me", None),
]


def told(answer: httpx.Response) -> tuple[int, Json, set[str]]:
    """What an answer tells, but for what every request has of its own."""
    body = answer.json() if answer.content else {}
    return answer.status_code, {**body, "request_id": ""}, set(answer.headers)


@pytest.mark.parametrize("condition", [{}, {"if-match": '"1"'}, {"if-none-match": "*"}])
@pytest.mark.parametrize(("method", "path", "body"), ASKED)
async def test_an_outsider_is_told_the_same_of_a_hidden_community_as_of_none(
    api: Api, method: str, path: str, body: Json | None, condition: dict[str, str]
) -> None:
    archived = await found(api, visibility="members")
    assert (await api.by("alice").post(f"{archived}/archive")).status_code == 200
    wheres = [await found(api, visibility="members"), archived, f"/v1/communities/none-{uuid4().hex[:8]}"]
    answers = [
        told(await api.by("stranger").request(method, f"{where}{path}", json=body, headers=condition))
        for where in wheres
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] in (404, 412)


async def test_who_asks_to_be_let_in_learns_that_it_is_there_unless_it_is_archived(api: Api) -> None:
    path = await found(api, visibility="members", admission="application")
    assert (await join(api, path, "bob"))["status"] == "applicant"
    assert (await api.by("bob").delete(f"{path}/members/me")).status_code == 204
    assert (await api.by("alice").post(f"{path}/archive")).status_code == 200

    refused = await api.by("stranger").post(f"{path}/members")
    missing = await api.by("stranger").post(f"/v1/communities/none-{uuid4().hex[:8]}/members")
    assert told(refused) == told(missing)


async def test_founding_a_taken_slug_says_the_same_whatever_it_is(api: Api) -> None:
    answers = []
    for visibility in ("public", "members"):
        body = founding(visibility=visibility)
        assert (await api.by("alice").post("/v1/communities", json=body)).status_code == 201
        answer = await api.by("stranger").post("/v1/communities", json=body)
        assert answer.status_code == 409
        answers.append({**answer.json(), "request_id": "", "detail": "", "errors": ""})
        assert body["slug"] in answer.json()["detail"]
    assert answers[0] == answers[1]
