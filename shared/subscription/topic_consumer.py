"""A consumer that has failed or fallen silent is thrown away and made anew in the background, with growing pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from prometheus_client import Counter

from shared.kafka.consumer import start_consumer, stop_consumer
from shared.kafka.topics import topic_of
from shared.polling import BackOff
from shared.settings import Settings

RETRY = (0.1, 2.0)
"""Seconds between tries to connect, the first and the longest."""

REBUILT = Counter("guildhall_stream_rebuilt", "Consumers made anew after a failure.", ["service"])

_logger = structlog.get_logger(__name__)


class TopicConsumer:
    """The consumer of a service's topic: `current`, None while there is none.

    `shared_out` is called whenever the group is shared out anew. `rebuilt` counts the consumers that were thrown away,
    `problem` says why the last one was, until there is another.
    """

    def __init__(self, settings: Settings, service: str, group: str | None, shared_out: Callable[[], None]) -> None:
        self.current: Any = None
        self.rebuilt = 0
        self.problem: str | None = None
        self._settings = settings
        self._service = service
        self._group = group
        self._shared_out = shared_out
        self._topic = topic_of(service)
        self._connecting: asyncio.Task[Any] | None = None
        self._stopping: set[asyncio.Task[None]] = set()
        self._retry = BackOff(*RETRY)

    async def connected(self, wait: float) -> bool:
        """Begin to connect, or go on doing so, for at most `wait` seconds. True when it is done."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name=f"connect-{self._topic}")
        await asyncio.wait([self._connecting], timeout=wait)
        if not self._connecting.done():
            return False
        connecting, self._connecting = self._connecting, None
        self.current = connecting.result()
        self._retry.begin_anew()
        if self.problem is not None:
            _logger.info("topic is read again", topic=self._topic, after=self.problem)
            self.problem = None
        return True

    async def _connect(self) -> Any:
        if self.problem is not None:
            await asyncio.sleep(self._retry.next())
        return await start_consumer(self._settings, self._service, self._group, self._shared_out)

    def failed(self, error: BaseException) -> None:
        """Throw the consumer away."""
        problem = str(error) or type(error).__name__
        if problem != self.problem:
            _logger.warning("topic cannot be read", topic=self._topic, problem=problem)
        self.problem = problem
        if self.current is not None:
            self.rebuilt += 1
            REBUILT.labels(self._service).inc()
        self._let_go()

    def _let_go(self) -> None:
        consumer, self.current = self.current, None
        if consumer is not None:
            stopping = asyncio.create_task(stop_consumer(consumer))
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
            if not self._connecting.cancelled() and self._connecting.exception() is None:
                self.current = self._connecting.result()
            self._connecting = None
        self._let_go()
        if self._stopping:
            await asyncio.wait(self._stopping)
