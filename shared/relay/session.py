"""The log's partition p goes to the topic's partition p, in order; a checkpoint follows what Kafka has acknowledged.

This is what goes on between a producer's start and its first failure; what goes before, and after, is in `relay.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import islice

from shared.db import Held
from shared.events.event import Recorded
from shared.kafka.topics import TopicProblem
from shared.lease import HELD, Lease, LeaseLost
from shared.log.port import Log
from shared.polling import PollInterval
from shared.relay.producer import EventTooLarge, Producer
from shared.relay.progress import RelayProgress
from shared.relay.topic_watch import TopicWatch
from shared.telemetry.tracing import carried

SLICE = 1000
"""Events read from the log at once."""
AT_ONCE = 16
"""Partitions that send at the same time; with `producer.BATCH_BYTES` it bounds memory and a request's size."""
STUCK_RETRY = 30.0
"""Seconds until an event that the broker found too large is tried again."""

MOVE = f"""
with held as ({HELD})
insert into relay_checkpoint (partition, position)
select moved.* from unnest($4::smallint[], $5::bigint[]) as moved(partition, position), held
on conflict (partition) do update set position = excluded.position
"""  # noqa: S608 - our own words


class Session:
    """Sends with one producer, and moves `progress.positions` on; `noted` is called after each checkpoint."""

    def __init__(
        self, log: Log, producer: Producer, progress: RelayProgress, tasks: asyncio.TaskGroup, noted: Callable[[], None]
    ) -> None:
        self._log = log
        self._producer = producer
        self._progress = progress
        self._positions = progress.positions
        self._tasks = tasks
        self._noted = noted
        self._busy: set[int] = set()
        self._room = asyncio.Semaphore(AT_ONCE)
        self.watch = TopicWatch(log, producer, progress, tasks, self._busy, self._room)
        self._moved: dict[int, int] = dict(enumerate(self._positions))
        self._checkpoint_due = asyncio.Event()

    async def poll(self, interval: PollInterval) -> None:
        """Look at the heads, at once when woken, and set off every partition that is behind."""
        began = time.monotonic()
        while not (self._progress.stuck and time.monotonic() - began > STUCK_RETRY):
            heads = self._progress.heads = list(await self._log.heads())
            if not self._log.agreed:
                raise TopicProblem("The database has begun anew. What it has is compared with the topic.")
            if self._set_off(heads):
                interval.found()
            await interval.rest()
        raise TopicProblem(self._progress.state.problem or "stuck")

    def _set_off(self, heads: Sequence[int]) -> bool:
        """Begin with each partition that is behind and not under way already; False when all are up to date."""
        behind = False
        for partition, head in enumerate(heads):
            if head > self._positions[partition] and partition not in self._progress.stuck:
                behind = True
                if partition not in self._busy:
                    self._busy.add(partition)
                    self._tasks.create_task(self._relay(partition, head))
        return behind

    async def _relay(self, partition: int, head: int) -> None:
        """One batch after another, each when the one before it has been acknowledged, up to the head."""
        records: Sequence[Recorded] = ()
        try:
            while self._positions[partition] < head:
                async with self._room:
                    if not records:
                        records = await self._log.follow(partition, self._positions[partition], SLICE)
                    assert records[0].position == self._positions[partition] + 1, "a position is missing in the log"
                    began = time.time_ns()
                    sent = await self._producer.send(partition, records)
                carried("relay", islice(records, sent), began)
                self._positions[partition] = self._moved[partition] = records[sent - 1].position
                records = records[sent:]
                self._checkpoint_due.set()
        except EventTooLarge as error:
            self._progress.refused(partition, error)
        finally:
            self._busy.discard(partition)

    async def checkpoint(self, lease: Lease, connections: Held) -> None:
        """Write down how far the partitions are, all that have moved in one transaction that the lease guards."""
        moved, self._moved = self._moved, {}
        partitions = sorted(moved)
        async with asyncio.timeout(5), connections.borrow() as connection:
            done = await connection.execute(
                MOVE, *lease.key, partitions, [moved[partition] for partition in partitions]
            )
        if done != f"INSERT 0 {len(moved)}":
            raise LeaseLost(lease.name)
        self._noted()

    async def checkpoint_moves(self, lease: Lease, connections: Held) -> None:
        """Checkpoint whenever something was sent, what was sent meanwhile together."""
        while True:
            await self._checkpoint_due.wait()
            self._checkpoint_due.clear()
            await self.checkpoint(lease, connections)
