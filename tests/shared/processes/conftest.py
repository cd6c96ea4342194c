"""A log with what reads it and carries out what follows, and nothing in the way of gifts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.cancellation import end
from shared.commands.commands import Commands
from shared.db import create_engine, driver
from shared.events.catalogue import Catalogue
from shared.events.event import Recorded
from shared.log.postgres import PostgresLog
from shared.processes.dispatcher import Dispatcher
from shared.projections.read_model import ReadModel
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.settings import Settings
from shared.subscription.log_source import LogSource
from shared.tables import service_metadata
from tests.conftest import FreshDatabase
from tests.shared.processes.gifts import GIFTS, IN_THE_WAY, gift_of
from tests.shared.toy import ACCOUNT, ACT, CATALOGUE, open_account, stream


@dataclass
class Shop:
    """One service's database, and what its worker does there."""

    settings: Settings
    engine: AsyncEngine
    log: PostgresLog
    commands: Commands

    async def opens(self, *numbers: int) -> None:
        for number in numbers:
            await self.commands.execute(ACCOUNT, stream(number), open_account, act=ACT)

    async def gift(self, number: int) -> list[Recorded]:
        return list(await self.log.load(gift_of(stream(number))))

    async def gifts(self, *numbers: int) -> list[int]:
        """How many events each gift has."""
        return [len(await self.gift(number)) for number in numbers]

    async def sql(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        async with driver(self.engine) as connection:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
        return rows

    async def waiting(self) -> list[asyncpg.Record]:
        return await self.sql("select * from outgoing_command order by number")

    async def come(self, seconds: float) -> None:
        """So much time passes for what waits."""
        await self.sql(
            "update outgoing_command set due_at = due_at - make_interval(secs => $1),"
            " again_at = again_at - make_interval(secs => $1)",
            seconds,
        )

    async def read(self, manager: ReadModel = GIFTS) -> None:
        """Read to the end of the log, and carry out nothing."""
        store = PostgresReadModelStore(self.engine)
        reading = asyncio.create_task(ProjectionRunner([manager], [LogSource(self.log)], store).run())
        try:
            await until(lambda: self._is_read(store, manager))
        finally:
            await end(reading)
            await store.close()

    async def _is_read(self, store: PostgresReadModelStore, manager: ReadModel) -> bool:
        marks = await store.watermarks([manager.name], self.log.service, range(self.log.partitions))
        return [marks[manager.name, p].position for p in range(self.log.partitions)] == await self.log.heads()

    @asynccontextmanager
    async def carrying_out(
        self, manager: ReadModel = GIFTS, commands: Commands | None = None
    ) -> AsyncIterator[Dispatcher]:
        dispatcher = Dispatcher(self.engine, commands or self.commands, [manager])
        running = asyncio.create_task(dispatcher.run())
        try:
            yield dispatcher
        finally:
            await end(running)

    async def all_done(self) -> bool:
        return all(row["dead_at"] is not None for row in await self.waiting())


async def until(condition: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.01)


def another(shop: Shop, *events: Any) -> Commands:
    """A process of another release, which knows these events only."""
    return Commands(shop.log, Catalogue(events))


@pytest.fixture
async def shop(fresh_database: FreshDatabase) -> AsyncIterator[Shop]:
    async with fresh_database(service_metadata(facts=True)) as settings:
        engine = create_engine(settings, "toy", connections=20)
        log = PostgresLog(engine, "toy", settings.partitions)
        await log.start()
        yield Shop(settings, engine, log, Commands(log, CATALOGUE))
        await log.close()
        await engine.dispose()


@pytest.fixture(autouse=True)
def _nothing_in_the_way() -> Iterator[None]:
    yield
    IN_THE_WAY.of = lambda _: None


__all__ = ["UUID", "Shop", "until"]
