"""Beside the events every worker says several times a second how far the log is, whether it leads the relay or not.

So a reader knows what it lacks while the relay stands still. Heads are true whoever says them, and old ones do no harm:
what was acknowledged before their time is up to their positions. Of a log that is not known to agree with its topic
nothing is said: it may have gone back, or be read at a standby that is behind.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.cancellation import attempt
from shared.db import FAILED, Held
from shared.kafka.connection import connection
from shared.kafka.heads import Heads, HeadsWire
from shared.kafka.topics import BROKER_AWAY, TopicProblem, require_topics
from shared.log.agreement import DATABASE
from shared.polling import BackOff
from shared.relay.abandoned import abandon
from shared.settings import Settings

EVERY = 0.15
"""Seconds between two heads: at least five a second, with the time it takes to say them."""
DEADLINE = 2.0
"""Seconds to ask the log, and to tell the broker; who is later than that begins anew."""
BACK_OFF = (0.1, 2.0)

HEADS = f"""
select now() as at, array_agg(position order by id) as positions,
       bool_and(agreed is not distinct from {DATABASE}) as agreed
from log_partition
"""  # noqa: S608
"""`now()` is when the transaction began, and so never after what it sees: all that was acknowledged before is in it."""

NOT_AGREED = "The log is not known to agree with its topic."
PASSING = (TopicProblem, *BROKER_AWAY, *FAILED)

_logger = structlog.get_logger(__name__)


class HeadsPublisher:
    """Says a service's heads for as long as `run` runs, whatever happens to Kafka and PostgreSQL meanwhile."""

    def __init__(self, engine: AsyncEngine, settings: Settings, service: str) -> None:
        self._engine = engine
        self._settings = settings
        self._service = service
        self._wire = HeadsWire(settings, service)
        self._back_off = BackOff(*BACK_OFF)
        self._problem: str | None = None

    async def run(self) -> None:
        """One producer after another, each until its first failure."""
        while True:
            try:
                with attempt():
                    await self._with_new_producer()
            except PASSING as error:
                self._not_told(str(error) or type(error).__name__)
            await asyncio.sleep(self._back_off.next())

    async def _with_new_producer(self) -> None:
        await require_topics(self._settings, [self._wire.topic])
        producer = AIOKafkaProducer(**connection(self._settings), request_timeout_ms=int(DEADLINE * 1000), linger_ms=0)
        connections = Held(self._engine, 1)
        try:
            async with asyncio.timeout(DEADLINE):
                await producer.start()
            while True:
                began = time.monotonic()
                async with asyncio.timeout(DEADLINE):
                    heads = await self._heads(connections)
                    if heads is not None:
                        await self._tell(producer, heads)
                if heads is None:
                    self._not_told(NOT_AGREED)
                else:
                    self._told()
                await asyncio.sleep(max(0.0, EVERY - (time.monotonic() - began)))
        finally:
            await abandon(producer)
            with suppress(*FAILED):
                await connections.close()

    async def _heads(self, connections: Held) -> Heads | None:
        """None while the log may be another than it was."""
        async with connections.borrow() as borrowed:
            row = await borrowed.fetchrow(HEADS)
        assert row is not None, "an aggregate makes a row"
        return Heads(row["at"], tuple(row["positions"])) if row["agreed"] else None

    async def _tell(self, producer: Any, heads: Heads) -> None:
        value, headers = self._wire.write(heads)
        batch = producer.create_batch()
        batch.append(
            key=self._service.encode(), value=value, timestamp=int(heads.at.timestamp() * 1000), headers=headers
        )
        batch.close()
        await (await producer.send_batch(batch, self._wire.topic, partition=0))

    def _not_told(self, problem: str) -> None:
        if problem != self._problem:
            _logger.warning("heads are not told", service=self._service, problem=problem)
        self._problem = problem

    def _told(self) -> None:
        self._back_off.begin_anew()
        if self._problem is not None:
            _logger.info("heads are told again", service=self._service, after=self._problem)
            self._problem = None
