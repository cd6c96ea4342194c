"""Communities over HTTP, on a real database: founded, described with If-Match, archived, listed for who may see."""

from __future__ import annotations

import pytest

from shared.events.identity import community_id
from tests.member.api import after, found, founding, join
from tests.member.running import Api
from tests.positions import positions_of


async def test_a_founding_answers_the_community_and_may_be_repeated(api: Api) -> None:
    body = founding(language="zh-hans")
    first = await api.by("alice").post("/v1/communities", json=body)
    again = await api.by("alice").post("/v1/communities", json=body)

    assert first.status_code == again.status_code == 201
    assert (
        first.json()
        == again.json()
        == {
            **body,
            "application_days": 0,
            "language": "zh-Hans",
            "id": str(community_id(body["slug"])),
            "visibility": "public",
            "admission": "open",
            "archived": False,
            "founded_at": first.json()["founded_at"],
        }
    )
    assert (await api.by("alice").get(first.headers["location"])).json() == first.json()
    assert first.headers["etag"] == again.headers["etag"]
    assert {service for service, _ in positions_of(first.headers["guildhall-position"])} == {"member"}


@pytest.mark.parametrize(("by", "changes"), [("bob", {}), ("alice", {"name": "Another garden"})])
async def test_a_slug_that_is_taken_is_named(api: Api, by: str, changes: dict[str, str]) -> None:
    body = founding()
    await api.by("alice").post("/v1/communities", json=body)

    refused = await api.by(by).post("/v1/communities", json={**body, **changes})

    assert refused.status_code == 409
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/slug"]


async def test_every_wrong_field_of_a_founding_is_pointed_at(api: Api) -> None:
    body = founding(slug="No", language="english!", time_zone="Mars", visibility="secret", name=" ", extra=1)

    refused = await api.by("alice").post("/v1/communities", json=body)

    assert refused.status_code == 422
    pointers = {error["pointer"] for error in refused.json()["errors"]}
    assert pointers == {"/slug", "/language", "/time_zone", "/visibility", "/name", "/extra"}


async def test_founding_needs_a_token(api: Api) -> None:
    client = api.by("alice")
    del client.headers["authorization"]
    assert (await client.post("/v1/communities", json=founding())).status_code == 401


async def test_a_founder_is_its_first_member_and_its_owner_at_once(api: Api) -> None:
    path = await found(api)
    me = (await api.by("alice").get(f"{path}/members/me")).json()
    assert (me["status"], me["roles"], me["times_joined"]) == ("member", ["owner", "member"], 1)


async def test_a_description_changes_in_part_and_only_if_it_is_the_one_that_was_seen(api: Api) -> None:
    path = await found(api)
    alice = api.by("alice")
    seen = (await alice.get(path)).headers["etag"]

    changed = await alice.patch(path, json={"name": "Gardens"}, headers={"if-match": seen})
    stale = await alice.patch(path, json={"name": "Gardeners"}, headers={"if-match": seen})

    assert (changed.status_code, changed.json()["name"], changed.json()["language"]) == (200, "Gardens", "en")
    assert changed.headers["etag"] != seen
    assert stale.status_code == 412
    assert (await alice.get(path)).json() == changed.json()


async def test_who_may_not_describe_or_archive_is_told(api: Api) -> None:
    path = await found(api)
    await join(api, path, "bob")
    for who in ("bob", "carol"):
        assert (await api.by(who).patch(path, json={"name": "Mine"})).status_code == 403
        assert (await api.by(who).post(f"{path}/archive")).status_code == 403


async def test_an_archived_community_can_be_read_and_not_changed(api: Api) -> None:
    path = await found(api)
    alice = api.by("alice")
    archived = await alice.post(f"{path}/archive")
    again = await alice.post(f"{path}/archive")

    assert archived.json()["archived"] is True
    assert (again.status_code, again.json()) == (200, archived.json())
    refused = await alice.patch(path, json={"name": "Gardens"})
    assert (await alice.get(path)).status_code == 200
    assert refused.status_code == 409
    assert (await api.by("bob").post(f"{path}/members")).status_code == 409


async def test_the_list_shows_public_communities_and_ones_own(api: Api) -> None:
    public = founding(language="oc")
    hidden = founding(language="oc", visibility="members")
    await api.by("dora").post("/v1/communities", json=public)
    last = await api.by("dora").post("/v1/communities", json=hidden)

    hers = await after(api.by("dora"), last, "/v1/communities?language=OC")
    others = await after(api.by("emil"), last, "/v1/communities?language=oc")

    assert {item["slug"] for item in hers["items"]} == {public["slug"], hidden["slug"]}
    assert {(item["slug"], item["members"], item["my_status"]) for item in hers["items"]} == {
        (public["slug"], 1, "member"),
        (hidden["slug"], 1, "member"),
    }
    assert [(item["slug"], item["my_status"]) for item in others["items"]] == [(public["slug"], "none")]
    assert {service for service, _ in positions_of(others["freshness"]["positions"])} == {"member"}


async def test_mine_are_those_one_is_a_member_of(api: Api) -> None:
    path = await found(api, by="fay")
    await found(api, by="gus")
    gone = await found(api, by="gus")
    await join(api, gone, "fay")
    left = await api.by("fay").delete(f"{gone}/members/me")

    mine = await after(api.by("fay"), left, "/v1/communities?mine=true")

    assert [item["slug"] for item in mine["items"]] == [path.rpartition("/")[2]]


async def test_the_list_is_read_page_by_page_without_loss_or_repetition(api: Api) -> None:
    for number in range(5):
        body = founding(language="br", visibility=("public", "members")[number % 2])
        last = await api.by("hana").post("/v1/communities", json=body)
    await after(api.by("hana"), last, "/v1/communities")

    seen, cursor = [], ""
    while True:
        answer = (await api.by("hana").get(f"/v1/communities?language=br&limit=2{cursor}")).json()
        seen += [item["slug"] for item in answer["items"]]
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"

    assert len(seen) == 5
    assert seen == sorted(set(seen))


async def test_a_community_for_members_does_not_exist_for_others(api: Api) -> None:
    path = await found(api, visibility="members")
    assert (await api.by("bob").get(path)).status_code == 404
    assert (await api.by("bob").get(f"{path}/members")).status_code == 404
    assert (await api.by("alice").get(path)).status_code == 200
