"""A batch that could not be written waits again, whatever went wrong; nobody's answer is lost with a connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from shared.cancellation import attempt
from shared.events.errors import Unavailable
from shared.log.queue import Pending, Queue

PATIENCE = 2.0
"""Seconds that appends wait for the log to be found to agree with its topic, from when it was first not; then they are
refused, with what is the matter, until it is."""

NOT_AGREED = (
    "The log is not known to hold what its topic holds, as after a restart of PostgreSQL while Kafka is away, or "
    "after a restore. Nothing is written until that is known. `guildhall doctor` tells."
)

_logger = structlog.get_logger(__name__)


class NotAgreed(Exception):
    """The log is not known to agree with its topic."""


class Retries:
    """Hands out batches of up to `size` events, each until it has been written or answered."""

    def __init__(self, service: str, size: int) -> None:
        self._service = service
        self._size = size
        self._not_agreed_since: float | None = None

    def taken(self) -> None:
        """The log has taken an append, so it agrees with its topic."""
        self._not_agreed_since = None

    @asynccontextmanager
    async def batch(self, queue: Queue) -> AsyncIterator[list[Pending]]:
        """A batch to write. Whatever goes wrong meanwhile, it waits again, to be looked up before another try."""
        batch = await queue.take(self._size)
        try:
            with attempt():
                yield batch
        except asyncio.CancelledError:
            queue.put_back(batch)
            raise
        except NotAgreed:
            queue.put_back(batch)
            await self._wait_for_agreement(batch)
        except Exception as error:  # whatever breaks a driver, the task goes on: all appends depend on it
            _logger.warning("log connection lost", service=self._service, error=type(error).__name__)
            for pending in batch:
                pending.doubtful = True
            queue.put_back(batch)
            await asyncio.sleep(0.05)

    async def _wait_for_agreement(self, batch: Sequence[Pending]) -> None:
        """A moment, if it may be about to come; a database that was only started again agrees with its topic soon."""
        now = time.monotonic()
        if self._not_agreed_since is None:
            self._not_agreed_since = now
            _logger.warning("log is not known to agree with its topic", service=self._service)
        if now - self._not_agreed_since > PATIENCE:
            for pending in batch:
                pending.fail(Unavailable(NOT_AGREED, retry_after=1))
        await asyncio.sleep(0.05)
