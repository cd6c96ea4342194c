"""While a producer sends, it is looked whether the topic is still the one that was filled, and who else writes to it.

While all is quiet the last record of a partition is the log's last event. Where somebody else wrote behind it (a leader
that was replaced, a batch that was long under way) it is sent once more: a reader who comes upon such a repeat at its
own offset, on a topic that was made again, would take itself for caught up.
"""

from __future__ import annotations

import asyncio

import structlog

from shared.kafka.topics import TopicProblem
from shared.log.port import Log
from shared.relay.producer import Producer
from shared.relay.progress import RelayProgress

LOOK = 5.0
"""Seconds between two looks whether the topic is still the one that was filled."""

_logger = structlog.get_logger(__name__)


class TopicWatch:
    """Watches for one producer. `busy` are the partitions that are being sent to, `room` how many may be at once."""

    def __init__(
        self,
        log: Log,
        producer: Producer,
        progress: RelayProgress,
        tasks: asyncio.TaskGroup,
        busy: set[int],
        room: asyncio.Semaphore,
    ) -> None:
        self._log = log
        self._producer = producer
        self._progress = progress
        self._positions = progress.positions
        self._tasks = tasks
        self._busy = busy
        self._room = room

    async def run(self) -> None:
        """Every so often, whether the topic still holds what was written; it may be deleted while nothing is sent."""
        while True:
            await asyncio.sleep(LOOK)
            for partition in await self._producer.topic.look():
                if self._positions[partition] and partition not in self._busy | self._progress.stuck.keys():
                    self._busy.add(partition)
                    self._tasks.create_task(self._repeat(partition))

    async def _repeat(self, partition: int) -> None:
        """Send the last event once more, behind what somebody else wrote, if that was the log's or a stranger's."""
        try:
            async with self._room:
                newest = (await self._producer.topic.newest([partition])).get(partition)
                if newest is not None:
                    ours = await self._log.follow(partition, newest.position - 1, 1)
                    if [record.id for record in ours] != [newest.id]:
                        raise TopicProblem("Somebody wrote to the topic what the log has not.")
                records = await self._log.follow(partition, self._positions[partition] - 1, 1)
                await self._producer.send(partition, records)
            _logger.info("last event is sent again", service=self._log.service, partition=partition)
        finally:
            self._busy.discard(partition)
