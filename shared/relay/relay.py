"""The log's partition p goes to the topic's partition p, in order, by one leader; a checkpoint follows what Kafka has.

A crash between sending and the checkpoint repeats some positions, and so does a leader that does not know it was
replaced: readers skip positions they have. What a reader could not mend is a hole, and so nothing is ever skipped here:
the topic's last positions are compared with the checkpoints whenever a producer begins, and the smaller ones count.

While all is quiet the last record of a partition is the log's last event. Where somebody else wrote behind it (a leader
that was replaced, a batch that was long under way) it is sent once more: a reader who comes upon such a repeat at its
own offset, on a topic that was made again, would take itself for caught up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import Held
from shared.errors import Unavailable
from shared.event import Recorded
from shared.lease import AWAY, HELD, Lease, LeaseLost, lead
from shared.log.port import Log
from shared.pace import Pace
from shared.relay.producer import EventTooLarge, Producer, TopicChanged
from shared.relay.state import Progress, RelayState
from shared.settings import Settings
from shared.stream.topics import TopicProblem
from shared.tasks import attempt
from shared.tracing import carried

SLICE = 1000
"""Events read from the log at once."""
AT_ONCE = 16
"""Partitions that send at the same time; with `producer.BATCH_BYTES` it bounds memory and a request's size."""
LOOK = 5.0
"""Seconds between two looks whether the topic is still the one that was filled."""
STUCK_RETRY = 30.0
"""Seconds until an event that the broker found too large is tried again."""
BACK_OFF = (0.1, 2.0)
"""Seconds after a first failure, doubled at each further one up to the second figure."""

CHECKPOINTS = "select partition, position from relay_checkpoint"
MOVE = f"""
with held as ({HELD})
insert into relay_checkpoint (partition, position)
select moved.* from unnest($4::smallint[], $5::bigint[]) as moved(partition, position), held
on conflict (partition) do update set position = excluded.position
"""  # noqa: S608 - our own words

PASSING = (TopicProblem, Unavailable, *AWAY)
"""What may be over by the next try."""

_logger = structlog.get_logger(__name__)


class Relay:
    """Relays a service's log to Kafka for as long as `run` runs, whatever happens to Kafka and PostgreSQL meanwhile."""

    def __init__(self, log: Log, engine: AsyncEngine, settings: Settings) -> None:
        self._log = log
        self._engine = engine
        self._settings = settings
        self._pace = Pace()
        self._progress = Progress(log.service)
        self._changed = False
        """Whether the topic was made again since it was last filled from its beginning."""

    def wake(self) -> None:
        """Something was appended in this process; call it from the event loop's own thread."""
        self._pace.wake()

    @property
    def state(self) -> RelayState:
        return self._progress.state

    async def run(self) -> None:
        """Stand by or lead until cancelled; a cancelled leader hands over at once."""
        await lead(self._engine, "relay", self._lead)

    async def _lead(self, lease: Lease) -> None:
        """One producer after another, each until its first failure."""
        progress = self._progress
        progress.leading = True
        progress.expose(self._log.partitions)
        checkpoints = Held(self._engine, 1)
        failures = 0
        try:
            while True:
                began = time.monotonic()
                try:
                    with attempt():
                        await self._with_new_producer(lease, checkpoints)
                except Exception as error:
                    self._changed |= any(isinstance(each, TopicChanged) for each in _leaves(error))
                    progress.interrupted(_passing(error))
                failures = 1 if time.monotonic() - began > LOOK else failures + 1
                await asyncio.sleep(min(BACK_OFF[1], BACK_OFF[0] * 2 ** min(failures - 1, 10)))
        finally:
            progress.end()
            with suppress(*AWAY):
                await checkpoints.close()

    async def _with_new_producer(self, lease: Lease, checkpoints: Held) -> None:
        producer = Producer(self._settings, self._log.service)
        self._progress.new_producer()
        try:
            filled = await producer.start()
            if self._changed:  # whatever it has by now was written by somebody who did not know
                filled = [0] * len(filled)
            self._progress.begin(await self._compare(filled, checkpoints))
            async with asyncio.TaskGroup() as tasks:
                session = _Session(self._log, producer, self._progress, tasks, self._noted)
                # A refill says so before it sends. Had it a crash behind it and the old checkpoint still standing, what
                # late batches of others left on the topic could pass for the rest of it.
                await session.checkpoint(lease, checkpoints)
                tasks.create_task(session.look())
                tasks.create_task(session.checkpoint_moves(lease, checkpoints))
                await self._poll(session)
        finally:
            await producer.stop()

    def _noted(self) -> None:
        """The checkpoints say now how far the topic is, so they can be believed again."""
        self._changed = False

    async def _compare(self, filled: list[int], checkpoints: Held) -> list[int]:
        """Where to begin, by partition: the smaller of what the topic has and what the checkpoint says."""
        async with asyncio.timeout(self._settings.database_timeout), checkpoints.borrow() as connection:
            rows = await connection.fetch(CHECKPOINTS)
        moved = {row["partition"]: row["position"] for row in rows}
        heads = self._progress.heads = list(await self._log.heads())
        ahead = [p for p, head in enumerate(heads) if filled[p] > head]
        if ahead:
            raise TopicProblem(
                f"The topic of {self._log.service} has events in partitions {ahead} that the log has not: the database "
                "was restored from an older state. Relaying now would give their positions to other events. Delete the "
                "topic, run `guildhall topics`, and rebuild what was read from it."
            )
        for partition, position in enumerate(filled):
            if position < moved.get(partition, 0):
                _logger.warning(
                    "topic is filled again",
                    service=self._log.service,
                    partition=partition,
                    after=position,
                    checkpoint=moved[partition],
                )
        return [min(position, moved.get(partition, 0)) for partition, position in enumerate(filled)]

    async def _poll(self, session: _Session) -> None:
        """Look at the heads, at once when woken, and set off every partition that is behind."""
        began = time.monotonic()
        while not (self._progress.stuck and time.monotonic() - began > STUCK_RETRY):
            heads = self._progress.heads = list(await self._log.heads())
            if session.set_off(heads):
                self._pace.found()
            await self._pace.rest()
        raise TopicProblem(self.state.problem or "stuck")


class _Session:
    """What goes on between a producer's start and its first failure."""

    def __init__(
        self, log: Log, producer: Producer, progress: Progress, tasks: asyncio.TaskGroup, noted: Callable[[], None]
    ) -> None:
        self._log = log
        self._producer = producer
        self._progress = progress
        self._positions = progress.positions
        self._tasks = tasks
        self._noted = noted
        self._busy: set[int] = set()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._moved: dict[int, int] = dict(enumerate(self._positions))
        self._checkpoint_due = asyncio.Event()

    def set_off(self, heads: Sequence[int]) -> bool:
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
                    assert records[0].position == self._positions[partition] + 1, "the log has a hole"
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

    async def look(self) -> None:
        """Every so often, whether the topic still holds what was written; it may be deleted while nothing is sent."""
        while True:
            await asyncio.sleep(LOOK)
            for partition in await self._producer.look():
                if self._positions[partition] and partition not in self._busy | self._progress.stuck.keys():
                    self._busy.add(partition)
                    self._tasks.create_task(self._repeat(partition))

    async def _repeat(self, partition: int) -> None:
        """Send the last event once more, behind what somebody else wrote."""
        try:
            async with self._room:
                records = await self._log.follow(partition, self._positions[partition] - 1, 1)
                await self._producer.send(partition, records)
            _logger.info("last event is sent again", service=self._log.service, partition=partition)
        finally:
            self._busy.discard(partition)


def _passing(error: Exception) -> Exception:
    """The error that a new producer may get over, out of those that ended a session; anything else is raised."""
    errors = list(_leaves(error))
    for found in errors:
        if isinstance(found, LeaseLost):
            raise found
    for found in errors:
        if not isinstance(found, PASSING):
            raise found
    return errors[0]


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
