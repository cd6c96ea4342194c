"""Founding asks a scope of its own, and a caller founds so many communities a day; what fails or repeats is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2 as httpx
import pytest

from services.member.app import SERVICE
from shared.db import driver
from shared.service.service import create_app
from shared.web.refusal_budget import RefusalBudget, Who
from tests.conftest import FreshDatabase
from tests.member.api import founding, join
from tests.member.running import Api, running

MOST = 3
OPERATOR = "guildhall:operate"


@pytest.fixture(scope="module")
async def api(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """The member service, which lets a caller found three communities a day."""
    async with (
        fresh_database(SERVICE.metadata) as settings,
        running(SERVICE, settings.model_copy(update={"foundings": MOST}), tmp_path_factory.mktemp("home")) as api,
    ):
        yield api


async def founded(api: Api, by: str, scope: str = "guildhall:found", **changes: str) -> httpx.Response:
    return await api.by(by, scope).post("/v1/communities", json=founding(**changes))


@pytest.mark.parametrize("scope", ["", "openid", "guildhall:backfill", "guildhall:founder"])
async def test_who_lacks_the_scope_founds_nothing_and_is_told_which_it_is(api: Api, scope: str) -> None:
    answer = await founded(api, "alice", scope)

    assert answer.status_code == 403
    assert 'error="insufficient_scope", scope="guildhall:found"' in answer.headers["www-authenticate"]


async def test_the_scope_is_asked_before_the_body_is_judged(api: Api) -> None:
    assert (await api.by("alice", "").post("/v1/communities", json={"slug": "-"})).status_code == 403


async def test_beyond_the_quota_the_answer_names_the_rule_and_when_to_go_on(api: Api) -> None:
    for _ in range(MOST):
        assert (await founded(api, "bob")).status_code == 201
    refused = await founded(api, "bob")

    assert refused.status_code == 429
    assert refused.json()["detail"].startswith("You have founded 3 communities today, as many as one may a day.")
    assert 0 < int(refused.headers["retry-after"]) <= timedelta(days=1).total_seconds()
    assert (await founded(api, "carol")).status_code == 201


async def test_a_repetition_and_a_refusal_count_as_nothing(api: Api) -> None:
    body, client = founding(), api.by("dora")
    taken = founding()
    assert (await founded(api, "alice", slug=taken["slug"])).status_code == 201
    for _ in range(MOST + 1):
        assert (await client.post("/v1/communities", json=body)).status_code == 201
        assert (await founded(api, "dora", slug=taken["slug"])).status_code == 409
        assert (await founded(api, "dora", slug="No")).status_code == 422
    for _ in range(MOST - 1):
        assert (await founded(api, "dora")).status_code == 201

    assert (await founded(api, "dora")).status_code == 429
    assert (await client.post("/v1/communities", json=body)).status_code == 201


async def test_who_probes_slugs_or_goes_beyond_the_quota_is_charged_for_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged: list[str] = []
    charge = RefusalBudget.charge

    def noted(self: RefusalBudget, who: Who, seconds: float) -> None:
        charged.append(who[1])
        charge(self, who, seconds)

    monkeypatch.setattr(RefusalBudget, "charge", noted)
    for visibility in ("public", "members"):
        taken = founding(visibility=visibility)
        assert (await api.by(f"owner of {visibility}").post("/v1/communities", json=taken)).status_code == 201
        assert (await founded(api, "jo", slug=taken["slug"])).status_code == 409
    assert charged == ["jo"] * 2

    charged.clear()
    for _ in range(MOST):
        assert (await founded(api, "kim")).status_code == 201
    assert charged == []
    assert (await founded(api, "kim")).status_code == 429
    assert charged == ["kim"]


async def test_who_founds_at_the_same_moment_founds_no_more(api: Api) -> None:
    answers = await asyncio.gather(*(founded(api, "eve") for _ in range(5 * MOST)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(201) <= MOST
    assert set(statuses) == {201, 429}

    last = [(await founded(api, "eve")).status_code for _ in range(MOST)]
    assert statuses.count(201) + last.count(201) == MOST


async def test_one_slug_founded_at_the_same_moment_counts_once(api: Api) -> None:
    body = founding()
    answers = await asyncio.gather(*(api.by("finn").post("/v1/communities", json=body) for _ in range(MOST)))
    assert 201 in {answer.status_code for answer in answers}

    assert [(await founded(api, "finn")).status_code for _ in range(MOST)] == [201] * (MOST - 1) + [429]


async def test_another_process_knows_of_what_was_founded(api: Api) -> None:
    for _ in range(MOST):
        assert (await founded(api, "gil")).status_code == 201
    app = create_app(SERVICE, api.runtime.settings, only="api")
    async with app.router.lifespan_context(app):
        other = Api(app.state.runtime, api.issuer, httpx.ASGITransport(app))
        assert (await founded(other, "gil")).status_code == 429


async def test_an_operator_founds_any_number(api: Api) -> None:
    answers = [await founded(api, "operator", OPERATOR) for _ in range(MOST + 2)]
    assert {answer.status_code for answer in answers} == {201}


async def test_a_new_day_begins_with_nothing(api: Api) -> None:
    for _ in range(MOST):
        assert (await founded(api, "hana")).status_code == 201
    async with driver(api.runtime.engine) as connection:
        await connection.execute("update quota set day = day - 1")

    assert (await founded(api, "hana")).status_code == 201


async def test_joining_asks_no_scope(api: Api) -> None:
    body = founding()
    assert (await api.by("operator", OPERATOR).post("/v1/communities", json=body)).status_code == 201
    client = api.by("ivo", "")
    assert (await client.post(f"/v1/communities/{body['slug']}/members")).status_code == 201
    assert (await join(api, f"/v1/communities/{body['slug']}", "jan"))["status"] == "member"
