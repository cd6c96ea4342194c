"""What a crash of PostgreSQL takes from read models that do not wait for the disk is read again, and nothing else.

The server is this test's own. Its WAL writer stands still, so that a crash takes all that did not wait for the disk.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from deploy.local import ports
from deploy.local.home import Home
from deploy.local.postgres import Postgres
from shared.db import create_engine
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.settings import Settings
from shared.subscription.source import Message
from tests.doubles.rows import rows_of
from tests.doubles.view_store import MemoryReadModelStore
from tests.shared.board import BOARD, METADATA, PARTITIONS, TABLES, Books, a_history
from tests.shared.sources import ScriptedSource, has_read, read_until, sources

WAL_WRITER = "select pid, wait_event from pg_stat_activity where backend_type = 'walwriter'"
POSITIONS = "select sum(position) from watermark"


class OneByOne(ScriptedSource):
    """A transaction for each event."""

    async def read(self, limit: int, wait: float) -> Sequence[Message]:
        return await super().read(1, wait)


@pytest.fixture
def server(servers: None, tmp_path: Path) -> Iterator[Postgres]:
    port = ports.assign(["postgres"], random.randrange(20000, 29000), {})["postgres"]
    server = Postgres(Home.at(tmp_path / "home").open(), port)
    server.start()
    server.wait_ready()
    yield server
    server.stop()


def crash(server: Postgres) -> None:
    """Kill every process of the server at once, and start it again."""
    first = int((server.data / "postmaster.pid").read_text().splitlines()[0])
    others = subprocess.run(["pgrep", "-P", str(first)], capture_output=True, text=True, check=True)
    for process in [first, *map(int, others.stdout.split())]:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    server.stop()
    server.start()
    server.wait_ready()


async def stop_wal_writer(settings: Settings) -> None:
    """Have it stand still while it sleeps: where it is stopped with a lock in its hand, everybody waits for it."""
    look = await asyncpg.connect(settings.database_url)
    async with asyncio.timeout(20):
        while True:
            process = await look.fetchval(WAL_WRITER)
            os.kill(process, signal.SIGSTOP)
            await asyncio.sleep(0.05)
            if await look.fetchval(WAL_WRITER, column=1) == "WalWriterMain":
                break
            os.kill(process, signal.SIGCONT)
            await asyncio.sleep(0.05)
    await look.close()


async def test_what_a_crash_took_is_read_again_though_nothing_new_comes(server: Postgres) -> None:
    settings = Settings(database_url=server.dsn(role="postgres"), partitions=PARTITIONS)
    engine = create_engine(settings, "board")
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    await stop_wal_writer(settings)
    books, memory = a_history(Books()), MemoryReadModelStore()
    undisturbed = ProjectionRunner([BOARD], sources(books), memory)
    await read_until(undisturbed, has_read(undisturbed, books))
    store = PostgresReadModelStore(engine, wait_for_disk=False)
    reader = ProjectionRunner([BOARD], [OneByOne(name, books.messages(name)) for name in books.records], store)
    running = asyncio.create_task(reader.run())

    async with asyncio.timeout(60):
        while not has_read(reader, books)():
            await asyncio.sleep(0.01)
        await asyncio.to_thread(crash, server)
        look = await asyncpg.connect(settings.database_url)
        everything = sum(len(log) for logs in books.records.values() for log in logs)
        left = await look.fetchval(POSITIONS)
        while await look.fetchval(POSITIONS) < everything:
            await asyncio.sleep(0.05)

    assert left < everything
    assert [await rows_of(store, table) for table in TABLES] == [await rows_of(memory, table) for table in TABLES]
    running.cancel()
    await asyncio.wait([running])
    await look.close()
    await store.close()
    await engine.dispose()
