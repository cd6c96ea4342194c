"""A caller joins and applies so often a day, in all communities; what changes nothing is not counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.member.app import SERVICE
from tests.conftest import FreshDatabase
from tests.member.api import found, join
from tests.member.running import Api, running

MOST = 3


@pytest.fixture(scope="module")
async def api(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with (
        fresh_database(SERVICE.metadata) as settings,
        running(SERVICE, settings.model_copy(update={"joinings": MOST}), tmp_path_factory.mktemp("home")) as api,
    ):
        yield api


@pytest.mark.parametrize("admission", ["open", "application"])
async def test_beyond_the_quota_the_answer_names_the_rule_and_when_to_go_on(api: Api, admission: str) -> None:
    who, path = f"bob-{admission}", await found(api, admission=admission)
    for _ in range(MOST):
        assert (await api.by(who).post(f"{path}/members")).status_code == 201
        assert (await api.by(who).delete(f"{path}/members/me")).status_code == 204
    refused = await api.by(who).post(f"{path}/members")

    assert refused.status_code == 429
    assert refused.json()["detail"].startswith("You have joined or applied 3 times today, as often as one may a day.")
    assert 0 < int(refused.headers["retry-after"]) <= timedelta(days=1).total_seconds()
    elsewhere = await found(api)
    assert (await api.by(who).post(f"{elsewhere}/members")).status_code == 429, "all communities count together"
    assert (await api.by(f"carol-{admission}").post(f"{path}/members")).status_code == 201
    assert (await api.by(who, "guildhall:operate").post(f"{path}/members")).status_code == 201


async def test_who_is_a_member_already_is_not_counted(api: Api) -> None:
    path = await found(api)
    for _ in range(2 * MOST):
        await join(api, path, "dora")
    for _ in range(MOST - 1):
        assert (await api.by("dora").delete(f"{path}/members/me")).status_code == 204
        await join(api, path, "dora")
