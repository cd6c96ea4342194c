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
import sqlalchemy as sa

from deploy.local import ports
from deploy.local.home import Home
from deploy.local.postgres import Postgres
from shared.db import create_engine
from shared.settings import Settings
from shared.stream.source import Message
from shared.views.reader import Reader
from shared.views.store_memory import MemoryViewStore
from shared.views.store_postgres import PostgresViewStore
from tests.shared.board import BOARD, METADATA, PARTITIONS, TABLES, Books, a_history
from tests.shared.sources import ScriptedSource, has_read, read_until, sources

WAL_WRITER = "select pid from pg_stat_activity where backend_type = 'walwriter'"
POSITIONS = "select sum(position) from watermark"


class OneByOne(ScriptedSource):
    """A transaction for each event."""

    async def read(self, limit: int, wait: float) -> Sequence[Message]:
        return await super().read(1, wait)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
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


async def test_what_a_crash_took_is_read_again_though_nothing_new_comes(server: Postgres) -> None:
    settings = Settings(database_url=server.dsn(role="postgres"), partitions=PARTITIONS)
    engine = create_engine(settings, "board")
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
        os.kill(await connection.scalar(sa.text(WAL_WRITER)), signal.SIGSTOP)
    books, memory = a_history(Books()), MemoryViewStore()
    undisturbed = Reader([BOARD], sources(books), memory)
    await read_until(undisturbed, has_read(undisturbed, books))
    store = PostgresViewStore(engine, wait_for_disk=False)
    reader = Reader([BOARD], [OneByOne(name, books.messages(name)) for name in books.records], store)
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
    assert [await store.rows(table) for table in TABLES] == [await memory.rows(table) for table in TABLES]
    running.cancel()
    await asyncio.wait([running])
    await look.close()
    await store.close()
    await engine.dispose()
