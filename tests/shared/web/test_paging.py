"""Paging: every row once, in order, however the pages are cut; and only a cursor of this very list is taken."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import pytest

from shared.web.paging import MOST_WORDS, _fitting
from tests.conftest import FreshDatabase
from tests.shared.issuer import write_key_set
from tests.shared.toy import COMMUNITY
from tests.shared.toy_api import Api, here, toy_api
from tests.shared.toy_service import SERVICE

LIST = "/v1/communities/square/accounts"
START = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNTS = {
    uuid5(COMMUNITY, str(n)): {"opened_at": START + timedelta(microseconds=n // 3), "balance": n % 4} for n in range(23)
}
OWNER = uuid5(COMMUNITY, "owner")


@pytest.fixture(scope="module")
async def api(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with fresh_database(SERVICE.metadata) as settings, toy_api(settings, jwks) as api:
        await api.community("square")
        await api.community("circle")
        for account, row in ACCOUNTS.items():
            await api.write("account_list", community=here("square"), account=account, owner=OWNER, **row)
        yield api


async def walk(api: Api, path: str) -> list[UUID]:
    """All items of a list, page by page, by its cursors; its `Link` headers lead the same way."""
    found: list[UUID] = []
    address: str | None = path
    while address is not None:
        answer = await api.call("GET", address)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found += [UUID(item["id"]) for item in body["items"]]
        link = answer.links.get("next")
        assert (link is None) == (body["next"] is None)
        if link is not None:
            assert f"cursor={body['next']}" in link["url"]
        address = None if link is None else link["url"]
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 22, 23, 24, 200])
async def test_pages_of_any_size_give_every_row_once_and_in_order(api: Api, limit: int) -> None:
    newest = sorted(ACCOUNTS, key=lambda a: (ACCOUNTS[a]["opened_at"], a.bytes), reverse=True)
    richest = sorted(ACCOUNTS, key=lambda a: (-ACCOUNTS[a]["balance"], a.bytes))  # type: ignore[operator]

    assert await walk(api, f"{LIST}?limit={limit}") == newest
    assert await walk(api, f"{LIST}?limit={limit}&richest=true") == richest
    assert await walk(api, f"{LIST}?limit={limit}&owner={OWNER}") == newest


async def test_a_row_that_comes_in_front_does_not_disturb_who_reads_on(api: Api) -> None:
    first = (await api.call("GET", f"{LIST}?limit=5")).json()
    late = uuid5(COMMUNITY, "late")
    await api.write("account_list", community=here("square"), account=late, opened_at=START + timedelta(days=1))
    second = (await api.call("GET", f"{LIST}?limit=5&cursor={first['next']}")).json()
    async with api.runtime.engine.begin() as connection:
        table = SERVICE.metadata.tables["account_list"]
        await connection.execute(table.delete().where(table.c.account == late))

    assert not {item["id"] for item in first["items"]} & {item["id"] for item in second["items"]}
    assert str(late) not in {item["id"] for item in second["items"]}


async def test_a_page_may_be_cut_differently_halfway(api: Api) -> None:
    first = (await api.call("GET", f"{LIST}?limit=5")).json()
    rest = await walk(api, f"{LIST}?limit=4&cursor={first['next']}")

    assert len(rest) == len(ACCOUNTS) - 5


async def test_a_cursor_that_was_not_issued_for_this_list_is_refused(api: Api) -> None:
    cursor = (await api.call("GET", f"{LIST}?limit=5")).json()["next"]
    opened = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    forged = base64.urlsafe_b64encode(opened[:16] + opened[16:].replace(b"2026", b"2025")).rstrip(b"=").decode()
    refused = {
        "forged": f"{LIST}?limit=5&cursor={forged}",
        "cut": f"{LIST}?limit=5&cursor={cursor[:-4]}",
        "nonsense": f"{LIST}?cursor=%F0%9F%98%80",
        "other filter": f"{LIST}?owner={OWNER}&cursor={cursor}",
        "other order": f"{LIST}?richest=true&cursor={cursor}",
        "other list": f"/v1/communities/circle/accounts?cursor={cursor}",
    }

    for case, address in refused.items():
        answer = await api.call("GET", address)
        assert (case, answer.status_code) == (case, 400)
        assert "`cursor`" in answer.json()["detail"]


async def test_a_link_keeps_the_filters(api: Api) -> None:
    answer = await api.call("GET", f"{LIST}?limit=5&owner={OWNER}")

    assert f"owner={OWNER}" in urlsplit(answer.links["next"]["url"]).query
    assert "limit=5" in urlsplit(answer.links["next"]["url"]).query


@pytest.mark.parametrize(
    ("sizes", "fitting"),
    [
        ([0] * 200, 200),
        ([MOST_WORDS], 1),
        ([MOST_WORDS + 1, 1], 1),
        ([MOST_WORDS, 0, 0], 3),
        ([MOST_WORDS, 1, 0], 1),
        ([MOST_WORDS // 2] * 5, 2),
        ([1, MOST_WORDS, 1], 1),
    ],
)
def test_a_page_ends_before_the_item_that_is_too_much(sizes: list[int], fitting: int) -> None:
    assert _fitting(sizes) == fitting
