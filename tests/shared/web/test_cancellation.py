"""A request that is cancelled at any point leaves nothing behind: no connection, no transaction, no lock, no turn."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy.pool import QueuePool

from shared.db import driver
from shared.settings import Settings
from tests.conftest import FreshDatabase
from tests.shared.issuer import write_key_set
from tests.shared.toy_api import Api, toy_api
from tests.shared.toy_service import SERVICE

SQUARE = "/v1/communities/square"
REQUESTS, AT_ONCE = 2_000, 50

TRANSACTIONS = """
select count(*) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
"""
LOCKS = """
select count(*) from pg_locks l join pg_database d on d.oid = l.database
where d.datname = current_database() and l.pid <> pg_backend_pid() and l.locktype in ('relation', 'tuple')
"""
POSITIONS = """
select p.id, p.position, count(l.position) as events, coalesce(max(l.position), 0) as last
from log_partition p left join log l on l.partition = p.id group by p.id
"""


@pytest.fixture(scope="module")
async def settings(fresh_database: FreshDatabase) -> AsyncIterator[Settings]:
    async with fresh_database(SERVICE.metadata) as settings:
        yield settings.model_copy(update={"database_timeout": 30.0})  # a starved machine is slow, and that is not asked


@pytest.fixture(scope="module")
async def api(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with toy_api(settings, write_key_set(tmp_path_factory.mktemp("issuer"))) as api:
        await api.community("square")
        await api.standing("square", "alice", "member", "owner")
        yield api


async def test_two_thousand_requests_cancelled_anywhere_leave_nothing_behind(api: Api, settings: Settings) -> None:
    rng = random.Random(20261125)
    accounts = [(await api.call("POST", f"{SQUARE}/accounts")).json()["id"] for _ in range(5)]
    began = time.monotonic()
    for _ in range(10):
        await _one_of(api, rng, accounts)
    longest = 1.2 * (time.monotonic() - began) / 10 * AT_ONCE
    ended: Counter[object] = Counter()

    async def client() -> None:
        nonlocal longest
        for _ in range(REQUESTS // AT_ONCE):
            try:
                async with asyncio.timeout(rng.uniform(0, longest)):
                    ended[await _one_of(api, rng, accounts)] += 1
                longest *= 0.97  # so that some are cancelled and some are not, however fast the machine is meanwhile
            except TimeoutError:
                ended["cancelled"] += 1
                longest *= 1.03

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))

    assert ended.total() == REQUESTS
    assert set(ended) <= {"cancelled", 200, 201}
    assert min(ended["cancelled"], ended[201]) > REQUESTS / 20, ended
    await _nothing_is_left(api, settings)
    again = await asyncio.gather(*(_one_of(api, rng, accounts) for _ in range(AT_ONCE)))
    assert set(again) <= {200, 201}


async def _one_of(api: Api, rng: random.Random, accounts: list[str]) -> int:
    """Open an account, pay into one that others pay into, or list them."""
    match rng.randrange(3):
        case 0:
            answer = await api.call("POST", f"{SQUARE}/accounts")
        case 1:
            account = rng.choice(accounts)
            answer = await api.call("POST", f"{SQUARE}/accounts/{account}/deposits", json={"amount": 1})
        case _:
            answer = await api.call("GET", f"{SQUARE}/accounts")
    return answer.status_code


async def _nothing_is_left(api: Api, settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_url)
    try:
        async with asyncio.timeout(5):  # what was under way may end
            while await connection.fetchval(TRANSACTIONS):
                await asyncio.sleep(0.05)
        assert await connection.fetchval(LOCKS) == 0
        for row in await connection.fetch(POSITIONS):
            assert row["position"] == row["events"] == row["last"]
    finally:
        await connection.close()
    pool = api.runtime.engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedout() == 0
    everything = settings.database_connections
    async with asyncio.timeout(5):  # all of the pool's connections can be had at once, and they work
        await asyncio.gather(*(_borrow(api) for _ in range(everything)))
    assert not api.runtime.commands._turns._turns


async def _borrow(api: Api) -> None:
    async with driver(api.runtime.engine) as connection:
        await connection.execute("select pg_sleep(0.1)")
