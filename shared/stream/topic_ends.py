"""Where topics end, asked of the broker at most twice a second by one client per process, whoever wants to know.

A request never waits long for the broker: what was answered last is used, with its age.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.settings import Settings
from shared.stream.connection import connection
from shared.stream.topics import BROKER_AWAY, topic_of

FRESH = 0.5
"""Seconds for which an answer is used without asking again."""
PATIENCE = 0.3
"""Seconds a request waits for the broker; none while it did not answer the last time."""
DEADLINE = 4.0

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ends:
    """By service and partition, the offset the next record will get. `asked` is monotonic time."""

    offsets: Mapping[str, Sequence[int]]
    asked: float


class TopicEnds:
    """`services` are those whose topics are looked at, each with the installation's number of partitions."""

    def __init__(self, settings: Settings, services: Sequence[str]) -> None:
        self._settings = settings
        self._topics = {service: topic_of(service) for service in services}
        self._consumer: Any = None
        self._known: Ends | None = None
        self._asking: asyncio.Task[None] | None = None
        self._away = False

    async def ends(self) -> Ends | None:
        """The newest answer there is, asking for one if it is older than half a second; None before the first."""
        if self._topics and (self._known is None or time.monotonic() - self._known.asked > FRESH):
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask(), name="topic-ends")
            if not self._away:
                await asyncio.wait([self._asking], timeout=PATIENCE)
        return self._known

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        await self._drop()

    async def _ask(self) -> None:
        asked = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE):
                if self._consumer is None:
                    self._consumer = await self._connect()
                wanted = [TopicPartition(t, p) for t in self._topics.values() for p in range(self._settings.partitions)]
                found = await self._consumer.end_offsets(wanted)
        except BROKER_AWAY as error:
            if not self._away:
                _logger.warning("broker does not say where topics end", error=type(error).__name__)
            self._away = True
            await self._drop()
            await asyncio.sleep(FRESH)  # the next one to ask begins anew, not at once
            return
        if self._away:
            _logger.info("broker says where topics end again")
        self._away = False
        offsets: dict[str, Sequence[int]] = {
            service: [found[TopicPartition(topic, p)] for p in range(self._settings.partitions)]
            for service, topic in self._topics.items()
        }
        self._known = Ends(offsets, asked)

    async def _connect(self) -> Any:
        consumer = AIOKafkaConsumer(
            **connection(self._settings), enable_auto_commit=False, request_timeout_ms=int(DEADLINE * 1000)
        )
        try:
            await consumer.start()
        except BaseException:
            with suppress(*BROKER_AWAY):
                await consumer.stop()
            raise
        return consumer

    async def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(*BROKER_AWAY):
                async with asyncio.timeout(1):
                    await consumer.stop()
