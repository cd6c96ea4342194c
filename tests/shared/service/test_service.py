"""A service, API and worker in one process: what is written shows in the views, and the process tells how it is."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2 as httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from shared.projections.waiters import OF_A_CALLER
from shared.service.service import create_app
from shared.settings import Settings
from tests.conftest import FreshDatabase
from tests.patience import is_done_within
from tests.positions import token_of
from tests.shared.issuer import ISSUER, bearer, write_key_set
from tests.shared.toy_community import METADATA, RAN, SERVICE


@pytest.fixture(scope="module")
async def settings(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with fresh_database(METADATA) as settings:
        # No broker: a service that is asked about its own log does without.
        yield settings.model_copy(update={"issuer": ISSUER, "jwks": jwks, "kafka": "127.0.0.1:1"})


@pytest.fixture(scope="module")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(SERVICE, settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="module")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://toy") as client:
        yield client


async def call(
    client: httpx.AsyncClient, method: str, path: str, subject: str = "alice", **more: str
) -> httpx.Response:
    return await client.request(method, f"/v1/communities/{path}", headers={**bearer(subject), **more})


async def test_what_was_founded_can_be_used_in_the_next_request(client: httpx.AsyncClient) -> None:
    for n in range(5):
        assert (await call(client, "POST", f"quick-{n}")).status_code == 201
        assert (await call(client, "POST", f"quick-{n}/work")).status_code == 204
        assert (await call(client, "POST", f"quick-{n}/work", "bob")).status_code == 404
        assert (await call(client, "PUT", f"quick-{n}/me", "bob")).status_code == 204
        assert (await call(client, "POST", f"quick-{n}/work", "bob")).status_code == 204


async def test_an_archived_community_takes_no_more(client: httpx.AsyncClient) -> None:
    await call(client, "POST", "short-lived")
    archived = await call(client, "POST", "short-lived/archive")
    fresh = {"guildhall-after": archived.headers["guildhall-position"]}
    assert (await call(client, "GET", "short-lived/size", **fresh)).status_code == 200
    await asyncio.sleep(2.1)  # a look-up that permitted is believed for two seconds

    assert (await call(client, "POST", "short-lived/work")).status_code == 409
    assert (await call(client, "GET", "short-lived/size")).status_code == 200


async def test_a_community_that_does_not_exist_costs_a_moment(client: httpx.AsyncClient) -> None:
    async def ask() -> None:
        assert (await call(client, "GET", "nowhere/size")).status_code == 404

    await is_done_within(0.5, ask)


async def test_a_read_shows_the_write_it_names(client: httpx.AsyncClient) -> None:
    await call(client, "POST", "growing")
    for n in range(20):
        joined = await call(client, "PUT", "growing/me", f"member-{n}")
        answer = await call(client, "GET", "growing/size", **{"guildhall-after": joined.headers["guildhall-position"]})
        assert answer.json()["members"] == n + 2
        assert answer.json()["freshness"]["lag_events"] == 0


async def test_a_read_that_asks_for_what_is_not_there_yet_says_so_in_time(client: httpx.AsyncClient) -> None:
    await call(client, "POST", "waiting")
    beyond = {"guildhall-after": token_of({("member", 0): 999_999_999})}
    began = time.monotonic()
    answer = await call(client, "GET", "waiting/size", **beyond, prefer="respond-async, wait=1")
    asked = time.monotonic() - began
    began = time.monotonic()
    assert (await call(client, "GET", "waiting/size", **beyond)).status_code == 503
    by_itself = time.monotonic() - began

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:guildhall:problem:behind")
    assert answer.headers["retry-after"] == "1"
    assert 1 <= asked < by_itself
    assert (await call(client, "GET", "waiting/size", **{"guildhall-after": "nonsense"})).status_code == 400


async def test_many_who_wait_do_not_hold_up_those_who_do_not(client: httpx.AsyncClient) -> None:
    await call(client, "POST", "patient")
    await call(client, "GET", "patient/size")
    headers = {"guildhall-after": token_of({("member", 0): 999_999_999}), "prefer": "wait=3"}
    waiting = [asyncio.create_task(call(client, "GET", "patient/size", **headers)) for _ in range(OF_A_CALLER + 10)]
    await asyncio.sleep(0.3)

    assert (await call(client, "GET", "patient/size")).status_code == 200
    assert sum(not task.done() for task in waiting) == OF_A_CALLER  # it did not wait for any of them
    statuses = Counter(answer.status_code for answer in await asyncio.gather(*waiting))
    assert statuses == {503: OF_A_CALLER, 429: 10}


async def test_the_process_tells_how_far_everything_is(client: httpx.AsyncClient) -> None:
    await call(client, "POST", "counted")
    await asyncio.sleep(1.5)
    status = (await client.get("/status")).json()

    assert (status["service"], status["parked"]) == ("member", {})
    assert status["views"].keys() == {"directory", "size"}
    assert status["views"]["size"] == {"member": status["log"]}
    until = {name: datetime.fromisoformat(lag.pop("complete_until")) for name, lag in status["lag"].items()}
    assert status["lag"] == {name: {"events": 0, "seconds": 0.0} for name in ("size", "directory")}
    assert all(0 <= (datetime.now(UTC) - at).total_seconds() < 5 for at in until.values())
    assert sum(status["relayed"]) == 0


async def test_a_service_stays_ready_without_its_broker_and_says_what_limps(client: httpx.AsyncClient) -> None:
    ready = await client.get("/readyz")

    assert (ready.status_code, ready.json()["ready"], ready.json()["reasons"]) == (200, True, [])
    assert any("relay" in reason for reason in ready.json()["degraded"])
    assert (await client.get("/livez")).json()["status"] == "alive"


async def test_the_worker_forgets_words_when_they_are_due(app: FastAPI) -> None:
    due, standing = uuid4(), uuid4()
    vault = METADATA.tables["vault"]
    long_ago = sa.func.now() - timedelta(days=31)
    rows = [
        {"community": due, "ref": ref, "content": b"words", "superseded_at": at}
        for ref, at in ((due, long_ago), (standing, None))
    ]
    async with app.state.runtime.engine.begin() as connection:
        for row in rows:
            await connection.execute(sa.insert(vault).values(**row))
    kept = sa.select(vault.c.ref).where(vault.c.community == due, vault.c.content.is_not(None))
    async with asyncio.timeout(60), app.state.runtime.engine.connect() as connection:
        while set((await connection.execute(kept)).scalars()) != {standing}:
            await asyncio.sleep(0.1)


async def test_metrics_name_what_goes_on(client: httpx.AsyncClient) -> None:
    await call(client, "GET", "nowhere/size")
    page = (await client.get("/metrics")).text

    assert "guildhall_relay" in page
    for sample in (
        'guildhall_database_up{service="member"} 1.0',
        'guildhall_database_connections{pool="log",service="member",state="limit"}',
        'guildhall_log_position{partition="0",service="member"}',
        'guildhall_vault_overdue_seconds{service="member"}',
        'guildhall_relay_checkpoint_position{partition="11",service="member"} 0.0',
        'guildhall_lease_held{lease="views",service="member"} 1.0',
        'guildhall_view_position{partition="0",service="member",source="member",view="size"}',
        'guildhall_view_lag_events{service="member",view="size"} 0.0',
        'guildhall_view_lag_seconds{service="member",view="size"} 0.0',
        "process_open_fds",
        "process_resident_memory_bytes",
    ):
        assert sample in page, sample
    assert 'guildhall_request_seconds_count{operation="get_size",service="member",status="404"}' in page


@pytest.mark.usefixtures("app")
async def test_a_worker_that_fails_is_begun_again() -> None:
    async with asyncio.timeout(60):
        while len(RAN) < 3:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("how", ["gone", "down"])
async def test_without_its_database_a_service_lives_and_is_not_ready(settings: Settings, how: str) -> None:
    away = {"gone": settings.database_url + "_gone", "down": "postgresql://guildhall@127.0.0.1:1/guildhall"}[how]
    gone = settings.model_copy(update={"database_url": away, "database_timeout": 1.0})
    app = create_app(SERVICE, gone)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://toy") as client,
    ):
        ready = await client.get("/readyz")
        page = (await client.get("/metrics")).text
        asked = await call(client, "GET", "square/size")
        written = await call(client, "POST", "square")

    assert (ready.status_code, ready.json()["reasons"]) == (503, ["The database does not answer."])
    assert 'guildhall_database_up{service="member"} 0.0' in page
    assert "guildhall_log_position{" not in page
    assert (asked.status_code, written.status_code) == (503, 503)


async def test_a_process_that_stops_turns_away_before_it_closes(settings: Settings) -> None:
    app = create_app(SERVICE, settings, only="api")
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://toy") as client,
    ):
        app.state.runtime.draining.set()
        ready = await client.get("/readyz")
        served = await call(client, "POST", "late")

    assert (ready.status_code, ready.json()["reasons"]) == (503, ["The service is stopping."])
    assert (served.status_code, served.headers["connection"]) == (201, "close")


async def test_a_worker_alone_serves_no_api(settings: Settings) -> None:
    app = create_app(SERVICE, settings, only="worker")
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://toy") as client,
    ):
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/status")).status_code == 200
        assert (await call(client, "GET", "square/size")).status_code == 404
        assert (await client.get("/openapi.json")).status_code == 404


async def test_an_api_alone_learns_from_the_worker_elsewhere(settings: Settings, client: httpx.AsyncClient) -> None:
    app = create_app(SERVICE, settings, only="api")
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://toy") as alone,
    ):
        joined = await call(alone, "POST", "apart")
        fresh = {"guildhall-after": joined.headers["guildhall-position"]}
        assert (await call(alone, "GET", "apart/size", **fresh)).json()["members"] == 1
        assert (await call(alone, "POST", "apart/work", "stranger")).status_code == 404
