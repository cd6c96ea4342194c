"""The log in PostgreSQL: a position is given inside the transaction that writes the event, so none is ever missing.

`writer.py` appends, `loader.py` loads streams; here is the rest of the port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.cancellation import Stray, attempt
from shared.db import FAILED, Held, is_away
from shared.events.claim import Claim
from shared.events.errors import Unavailable
from shared.events.event import Recorded
from shared.log.claims import HOLDERS
from shared.log.held_up import BRIEF, WAITING
from shared.log.loader import StreamLoader
from shared.log.port import Append, Position
from shared.log.sql import FOLLOW, HEADS
from shared.log.writer import LogWriter

READERS = 3
CONNECTIONS = BRIEF + WAITING + READERS
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
        self.agreed = False
        """Whether the log was known to agree with its topic when `heads` last asked."""
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

    async def holders_of(self, community: UUID, claim: Claim) -> Sequence[UUID]:
        return [row["stream"] for row in await self._fetch(HOLDERS, community, claim.scope, claim.key)]

    async def heads(self) -> list[int]:
        rows = await self._fetch(HEADS)
        self.agreed = all(row["agreed"] for row in rows)
        return [row["position"] for row in rows]

    async def _fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        try:
            with attempt():
                async with asyncio.timeout(self._deadline), self._readers.borrow() as connection:
                    return await connection.fetch(query, *arguments)
        except (Stray, *FAILED) as error:
            if isinstance(error, asyncpg.PostgresError) and not is_away(error):
                raise  # the statement was wrong
            raise Unavailable("The log does not answer. Try again shortly.", retry_after=1) from error
