"""The log in PostgreSQL: a position is given inside the transaction that writes the event, so none is ever missing.

`writer.py` appends, `loader.py` loads streams; here is the rest of the port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import Held
from shared.errors import Unavailable
from shared.event import Recorded
from shared.log.loader import StreamLoader
from shared.log.port import Append, Position
from shared.log.sql import FOLLOW, HEADS
from shared.log.writer import BRIEF, GIVEN_UP, LOST, PATIENT, LogWriter
from shared.tasks import Stray, attempt

READERS = 3
CONNECTIONS = BRIEF + PATIENT + READERS
"""What a log keeps for itself of the engine's connections."""


class PostgresLog:
    """Implements `Log`. `start` before use, `close` at the end.

    `deadline` bounds an append in seconds, `batch` the events that go together. Functions in `appended` are called
    after every commit, so that a relay or a reader in this process need not wait for its next look.
    """

    def __init__(
        self, engine: AsyncEngine, service: str, partitions: int = 12, *, deadline: float = 4.0, batch: int = 512
    ) -> None:
        self.service = service
        self.partitions = partitions
        self.appended: list[Callable[[], None]] = []
        self._deadline = deadline
        self._writer = LogWriter(engine, service, partitions, batch, self.appended)
        self._readers = Held(engine, READERS)
        self._loader = StreamLoader(service, self._fetch)

    async def start(self) -> None:
        self._writer.start()

    async def close(self) -> None:
        await self._writer.close()
        await self._loader.close()
        await self._readers.close()

    async def append(self, request: Append) -> list[Position]:
        try:
            async with asyncio.timeout(self._deadline):
                return await self._writer.put(request)
        except TimeoutError:
            raise Unavailable(
                "The log did not answer in time. It is not known whether this was written; repeat it.", retry_after=1
            ) from None

    async def load(self, stream: UUID, after: int = 0) -> Sequence[Recorded]:
        return await self._loader.load(stream, after)

    async def follow(self, partition: int, after: int, limit: int) -> Sequence[Recorded]:
        return [Recorded(self.service, *row) for row in await self._fetch(FOLLOW, partition, after, limit)]

    async def heads(self) -> list[int]:
        return [row["position"] for row in await self._fetch(HEADS)]

    async def _fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        try:
            with attempt():
                async with asyncio.timeout(self._deadline), self._readers.borrow() as connection:
                    return await connection.fetch(query, *arguments)
        except (TimeoutError, Stray, SQLAlchemyError, asyncpg.LockNotAvailableError, *LOST, *GIVEN_UP) as error:
            raise Unavailable("The log does not answer. Try again shortly.", retry_after=1) from error
