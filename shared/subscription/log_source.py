"""A service's own log as a source: the heads are looked at often while there is work and seldom when there is none."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from shared.cancellation import attempt
from shared.events.errors import Unavailable
from shared.log.port import Log
from shared.polling import PollInterval
from shared.subscription.source import Mark, Message


class LogSource:
    """Implements `Source` over a `Log`; `wake` when something was appended in this process."""

    def __init__(self, log: Log) -> None:
        self.service = log.service
        self.partitions = log.partitions
        self._log = log
        self._interval = PollInterval()
        self._positions: dict[int, int] = {}

    def wake(self) -> None:
        self._interval.wake()

    async def start(self, after: Mapping[int, Mark]) -> None:
        self._positions = {partition: mark.position for partition, mark in after.items()}

    async def read(self, limit: int, wait: float) -> Sequence[Message]:
        until = time.monotonic() + wait
        while True:
            try:
                with attempt():
                    messages = await self._look(limit)
            except Unavailable:
                messages = []
            if messages:
                self._interval.found()
                return messages
            left = until - time.monotonic()
            if left <= 0:
                return []
            await self._interval.rest(left)

    async def _look(self, limit: int) -> list[Message]:
        """What is there now, from every partition that has something, in about equal parts."""
        heads = await self._log.heads()
        behind = [p for p, position in self._positions.items() if heads[p] > position]
        share = max(1, limit // max(1, len(behind)))
        messages: list[Message] = []
        for partition in behind[:limit]:
            records = await self._log.follow(partition, self._positions[partition], share)
            messages += [Message(partition, None, None, record) for record in records]
        # Only now, with everything in hand: a read that was cancelled or failed half way has taken nothing.
        for message in messages:
            assert message.record is not None
            self._positions[message.partition] = message.record.position
        return messages

    async def seek(self, partition: int, mark: Mark) -> None:
        self._positions[partition] = mark.position

    async def close(self) -> None:
        self._positions = {}
