"""The whole service, worker and API in one process, fed by a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx2 as httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.home import Home
from deploy.local.issuer import Issuer
from services.member.events import CommunityFounded
from services.projection.app import SERVICE
from shared.kafka.topics import ensure_topics, topic_of
from shared.relay.producer import Producer
from shared.service.service import create_app
from shared.settings import Settings
from shared.web.runtime import Runtime
from tests import databases
from tests.heads import telling
from tests.member.running import Api
from tests.projection.conftest import SOURCES, Hall
from tests.projection.histories import COMMUNITY, START
from tests.projection.life import PEOPLE, Life
from tests.stack import Stack

FOUNDED = CommunityFounded("guild", "Guild", "", "fr", "Europe/Paris", "public", "open", PEOPLE[0])


@pytest.fixture
async def settings(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    """A new database, and new topics: no other test uses those of the real services."""
    async with databases.fresh_database(stack, SERVICE.metadata, partitions=3) as settings:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
        await admin.start()
        topics = [topic_of(name) for name in SOURCES]
        await admin.delete_topics([topic for topic in await admin.list_topics() if topic in topics])
        while set(topics) & set(await admin.list_topics()):
            await asyncio.sleep(0.02)
        await admin.close()
        await ensure_topics(settings, SOURCES)
        yield settings


@asynccontextmanager
async def projecting(settings: Settings, issuer: Issuer, before: Hall | None = None) -> AsyncIterator[Hall]:
    """The service with its worker, going on from what happened before; how far the logs are it is told directly."""
    app = create_app(SERVICE, settings.model_copy(update={"jwks": str(issuer.write_jwks())}))
    async with app.router.lifespan_context(app):
        runtime: Runtime = app.state.runtime
        hall = Hall(Api(runtime, issuer, httpx.ASGITransport(app)), settings.partitions)
        if before is not None:
            hall.logs, hall.after = before.logs, before.after
        async with telling(runtime.engine, hall.logs, runtime.movement):
            yield hall


async def publish(hall: Hall, settings: Settings) -> None:
    """All that has happened, to the topics; what was there before is there twice, as after a relay's crash."""
    for name, log in hall.logs.items():
        producer = Producer(settings, name)
        await producer.start()
        for partition in range(settings.partitions):
            if records := await log.follow(partition, 0, 1_000):
                await producer.send(partition, records)
        await producer.stop()


async def freshness(hall: Hall) -> Any:
    return (await hall.json("suggestions"))["freshness"]


async def known(hall: Hall) -> None:
    """Until the community has come to the directory: joining a group may take longer than a request waits for it."""
    async with asyncio.timeout(60), hall.api.by("somebody") as client:
        while (await client.get(f"/v1/communities/{COMMUNITY}/metrics/scoring-policies")).status_code != 200:
            await asyncio.sleep(0.1)


async def test_numbers_come_through_kafka_and_survive_repeats_and_a_restart(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    life, paris = Life(3), ZoneInfo("Europe/Paris")
    day = START.date() + timedelta(days=60)
    issuer = Issuer(Home(tmp_path_factory.mktemp("home")))
    async with projecting(settings, issuer) as hall:
        await hall.tells(COMMUNITY, FOUNDED)
        await hall.happens(*life.goes_on(80))
        await publish(hall, settings)
        await known(hall)
        await hall.json("influence", {"as_of": day})
        async with asyncio.timeout(60):
            while (await freshness(hall))["lag_events"] != 0:
                await asyncio.sleep(0.05)
        assert (await freshness(hall))["lag_seconds"] == 0.0
    async with projecting(settings, issuer, hall) as again:
        await again.happens(*life.goes_on(40))
        await publish(again, settings)
        answer = await again.json("influence", {"as_of": day})
    expected = life.influence(paris, day)
    assert {UUID(i["member_id"]): (i["reach"], i["resonance"]) for i in answer["items"]} == {
        member: (e.reach, e.resonance / 1000) for member, e in expected.items() if e.in_population
    }
