"""How far the logs of other services are, kept in the database beside the views: every process measures by the same.

The newest heads of each source are one row. Kafka tells them to the workers; who answers requests needs no broker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition
from prometheus_client import Counter

from shared.cancellation import attempt
from shared.db import FAILED, Held
from shared.kafka.consumer import lookup_consumer, stop_consumer
from shared.kafka.heads import Heads, HeadsWire
from shared.kafka.topics import BROKER_AWAY, TopicProblem, require_topics
from shared.polling import BackOff
from shared.projections.movement import Movement
from shared.settings import Settings

DEADLINE = 4.0
"""Seconds for a question to the broker."""
WAIT = 0.5
"""Seconds waited for heads at a time."""
QUIET = 3.0
"""Seconds without heads of a source until the broker is asked whether there should have been any."""
BACK_OFF = (0.1, 2.0)
PASSING = (TopicProblem, *BROKER_AWAY, *FAILED)

KEEP = """
insert into log_head as h (source, at, positions)
select $1, least($2, now()), $3::bigint[] where $2 <= now() + make_interval(secs => $4)
on conflict (source) do update set at = excluded.at, positions = excluded.positions
where excluded.at >= h.at or h.at > now()
"""
"""Heads that come late are older, and pass by. No heads are of a time to come: by less than the clock bound they are of
now, and by more the clocks are too far apart for any claim, and nothing is kept. Where this database's clock was set
back, those that are kept are worth nothing.
"""
QUICKLY = "set synchronous_commit = off"
"""Heads that a crash takes back are told anew."""

FOREIGN = Counter("guildhall_heads_foreign", "Records among heads that the service did not write.", ["source"])

_logger = structlog.get_logger(__name__)


class HeadsFollower:
    """Keeps the heads of a service for as long as `run` runs. Several processes may: they write the same.

    Each source has a follower and a consumer of its own, so that none waits for another's topic. `connections` are set
    up by `QUICKLY`; one will do for all followers of a process.
    """

    def __init__(self, connections: Held, settings: Settings, source: str, movement: Movement) -> None:
        self._connections = connections
        self._settings = settings
        self._source = source
        self._movement = movement
        self._wire = HeadsWire(settings, source)
        self._partition = TopicPartition(self._wire.topic, 0)
        self._next = 0
        self._heard = 0.0
        self._back_off = BackOff(*BACK_OFF)
        self._problem: str | None = None
        FOREIGN.labels(source)  # there from the beginning, so that the first one shows as a change

    async def run(self) -> None:
        """One consumer after another, each until its first failure."""
        while True:
            try:
                with attempt():
                    await self._with_new_consumer()
            except PASSING as error:
                problem = str(error) or type(error).__name__
                if problem != self._problem:
                    _logger.warning("heads are not heard", source=self._source, problem=problem)
                self._problem = problem
            await asyncio.sleep(self._back_off.next())

    async def _with_new_consumer(self) -> None:
        await require_topics(self._settings, [self._wire.topic])
        consumer = lookup_consumer(self._settings, DEADLINE)
        try:
            async with asyncio.timeout(DEADLINE):
                await consumer.start()
            await self._from_the_last(consumer)
            while True:
                batches = await consumer.getmany(timeout_ms=int(WAIT * 1000))
                heads = self._newest(batches.get(self._partition, ()))
                if heads is not None:
                    await self._keep(heads)
                await self._watch(consumer)
        finally:
            await stop_consumer(consumer)

    async def _from_the_last(self, consumer: Any) -> None:
        """The last heads are worth reading: they hold until the next come. Those of a topic may all have expired."""
        consumer.assign([self._partition])
        end = await self._offset(consumer.end_offsets)
        self._next = max(await self._offset(consumer.beginning_offsets), end - 1)
        self._heard = time.monotonic()
        consumer.seek(self._partition, self._next)

    async def _offset(self, ask: Callable[[list[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]) -> int:
        async with asyncio.timeout(DEADLINE):
            return (await ask([self._partition]))[self._partition]

    def _newest(self, records: Sequence[Any]) -> Heads | None:
        """The newest of what came."""
        if not records:
            return None
        self._next, self._heard = records[-1].offset + 1, time.monotonic()
        told = [heads for heads in map(self._wire.read, records) if heads is not None]
        if len(told) < len(records):
            FOREIGN.labels(self._source).inc(len(records) - len(told))
        return told[-1] if told else None

    async def _keep(self, heads: Heads) -> None:
        async with asyncio.timeout(DEADLINE), self._connections.borrow() as connection:
            bound = self._settings.clock_bound
            await connection.execute(KEEP, self._source, heads.at, list(heads.positions), bound)
        self._movement.moved()
        self._back_off.begin_anew()
        if self._problem is not None:
            _logger.info("heads are heard again", source=self._source, after=self._problem)
            self._problem = None

    async def _watch(self, consumer: Any) -> None:
        """Raises `TopicProblem` where heads are there that do not come, or the topic was made anew."""
        now = time.monotonic()
        if now - self._heard <= QUIET:
            return
        end = await self._offset(consumer.end_offsets)
        self._heard = now
        if end != self._next:
            raise TopicProblem(f"{self._wire.topic} ends at {end} and is read up to {self._next}.")
