"""A small running system for the operator's commands: a service with a log, one that reads its topic, both caught up.

Their workers have run and were stopped, so that nothing mends what a test breaks; the leases are made to look held.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import sqlalchemy as sa
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from deploy.operations.doctor import Diagnosis, examine
from deploy.operations.findings import Finding, State
from deploy.operations.topics import topics
from shared.commands.commands import CommandMetadata, Commands
from shared.db import create_engine
from shared.events.catalogue import Catalogue
from shared.events.decider import Decider
from shared.events.event import Event, Recorded
from shared.events.fact import Fact
from shared.events.identity import derived_id
from shared.kafka.topics import ensure_topics, topic_of
from shared.log.postgres import PostgresLog
from shared.projections.read_model import Change, ReadModel, add
from shared.projections.read_model_table import read_model_table
from shared.service.service import Service, create_app
from shared.settings import Settings
from shared.tables import service_metadata
from tests.databases import create_tables
from tests.shared.toy import ALICE, COMMUNITY, NOON
from tests.stack import Stack

OWNER, READER = f"operated{os.environ.get('PYTEST_XDIST_WORKER', '')}", "observing"
"""The first has a topic, and so a name of its own for each of the processes that run tests at the same time."""
EVENTS, STREAMS = 120, 40


class Happened(Event, frozen=True, tag=f"guildhall.{OWNER}.happened.v1"):
    number: int


def evolve(state: int | None, fact: Fact[Happened]) -> int:
    return (state or 0) + fact.event.number


THING: Decider[int, Happened] = Decider("thing", evolve)


def _tally(metadata: sa.MetaData) -> ReadModel:
    table = read_model_table("tally", metadata, key=[sa.Column("community", PG_UUID, nullable=False)], add=["total"])

    def fold(event: Happened, record: Recorded) -> list[Change]:
        return [add(table, (record.community,), total=event.number)]

    return ReadModel("tally", (table,), fold)


def _service(name: str, *, facts: bool) -> Service:
    metadata = service_metadata(facts=facts)
    view = _tally(metadata)
    made = Service(name, metadata, events=sys.modules[__name__] if facts else None, migrations=Path("none"))
    # Without the directory: that one reads a topic which other tests use.
    object.__setattr__(made, "own_read_models", (view,) if facts else ())
    object.__setattr__(made, "topic_read_models", () if facts else (view,))
    return made


SERVICES = (_service(OWNER, facts=True), _service(READER, facts=False))


@dataclass
class Hall:
    settings: Settings

    async def sql(self, statement: str, service: str = OWNER) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.settings.database_url.replace("{service}", service))
        try:
            if ";" not in statement:
                return await connection.fetch(statement)
            await connection.execute(statement)
            return []
        finally:
            await connection.close()

    async def examine(self, *, full: bool = False) -> Diagnosis:
        return await examine(self.settings, SERVICES, full=full)

    async def ill(self, *, full: bool = False) -> list[Finding]:
        """What is not well."""
        return [finding for finding in (await self.examine(full=full)).findings if finding.state is not State.OK]

    async def write(self, first: int, events: int) -> None:
        engine = create_engine(self.settings, OWNER)
        log = PostgresLog(engine, OWNER, self.settings.partitions)
        await log.start()
        commands, act = Commands(log, Catalogue([Happened])), CommandMetadata(COMMUNITY, ALICE, NOON)
        for number in range(first, first + events):
            thing: UUID = derived_id("thing", number % STREAMS)
            await commands.execute(THING, thing, lambda _, n=number: [Happened(n)], act=act)
        await log.close()
        await engine.dispose()

    async def work(self, events: int = EVENTS) -> None:
        """Run both workers until everything is everywhere; afterwards the leases look held again."""
        await self.sql("update lease set holder = null")
        apps = [create_app(service, self.settings, only="worker") for service in SERVICES]
        async with apps[0].router.lifespan_context(apps[0]), apps[1].router.lifespan_context(apps[1]):
            async with asyncio.timeout(40):
                for service in (OWNER, READER):
                    while await self._folded(service) < events:
                        await asyncio.sleep(0.05)
                while await self._relayed() < events or not await self.sql("select from log_head", READER):
                    await asyncio.sleep(0.05)
        await self.lease()

    async def _folded(self, service: str) -> int:
        return int((await self.sql("select coalesce(sum(position), 0)::int as n from watermark", service))[0]["n"])

    async def _relayed(self) -> int:
        """Records that the topic has and the relay has noted, the fewer of them."""
        noted = int((await self.sql("select sum(position)::int as n from relay_checkpoint"))[0]["n"])
        async with topics(self.settings, [OWNER]) as found:
            return min(noted, sum(await found.ends(OWNER)))

    async def lease(self) -> None:
        """Leases look held, and heads as if they came, though nobody works."""
        await self.sql("update log_head set at = now() + interval '1 hour'", READER)
        await self.sql("update lease set holder = gen_random_uuid(), expires_at = now() + interval '1 hour'")

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def delete_topic(self) -> None:
        async with self.admin() as admin:
            if topic_of(OWNER) in await admin.list_topics():
                await admin.delete_topics([topic_of(OWNER)])
            while topic_of(OWNER) in await admin.list_topics():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running_hall(stack: Stack) -> AsyncIterator[Hall]:
    prefix = f"test_{uuid4().hex}"
    admin = await asyncpg.connect(stack.postgres_dsn)
    settings = Settings(
        database_url=f"{stack.postgres_dsn.rpartition('/')[0]}/{prefix}_{{service}}",
        kafka=stack.kafka,
        record_secret=SecretStr("hall"),
    )
    hall = Hall(settings)
    try:
        for service in SERVICES:
            await admin.execute(f"create database {prefix}_{service.name}")
            url = settings.database_url.replace("{service}", service.name)
            await create_tables(settings.model_copy(update={"database_url": url}), service.metadata)
        await hall.delete_topic()
        await ensure_topics(settings, [OWNER])
        await hall.write(0, EVENTS)
        await hall.work()
        yield hall
    finally:
        await hall.delete_topic()
        for service in SERVICES:
            await admin.execute(f"drop database if exists {prefix}_{service.name} with (force)")
        await admin.close()
