"""One leader relays the log to its topic, with one producer after another, each until its first failure.

A crash between sending and the checkpoint repeats some positions, and so does a leader that does not know it was
replaced: readers skip positions they have. What a reader could not mend is a hole, and so nothing is ever skipped here:
the topic's last positions are compared with the checkpoints whenever a producer begins, and the smaller ones count.

What goes on in between is in `session.py`. Beside it: the comparison of topic, log and checkpoints (`comparison.py`),
the watch over the topic (`topic_watch.py`), and which failures a new producer may get over (`failures.py`).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.cancellation import attempt
from shared.db import FAILED, Held
from shared.lease import Lease, lead
from shared.log.port import Log
from shared.polling import BackOff, PollInterval
from shared.relay.comparison import agree, begin_after
from shared.relay.failures import leaves, passing
from shared.relay.producer import Producer
from shared.relay.progress import RelayProgress, RelayState
from shared.relay.session import Session
from shared.relay.topic_end import TopicChanged
from shared.settings import Settings

SETTLED = 5.0
"""Seconds after which a producer is one that works: its failure is the first again."""
BACK_OFF = (0.1, 2.0)
"""Seconds after a failure, the first and the longest."""


class Relay:
    """Relays a service's log to Kafka for as long as `run` runs, whatever happens to Kafka and PostgreSQL meanwhile."""

    def __init__(self, log: Log, engine: AsyncEngine, settings: Settings) -> None:
        self._log = log
        self._engine = engine
        self._settings = settings
        self._interval = PollInterval()
        self._progress = RelayProgress(log.service)
        self._changed = False
        """Whether the topic was made again since it was last filled from its beginning."""

    def wake(self) -> None:
        """Something was appended in this process; call it from the event loop's own thread."""
        self._interval.wake()

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
        back_off = BackOff(*BACK_OFF)
        try:
            while True:
                began = time.monotonic()
                try:
                    with attempt():
                        await self._with_new_producer(lease, checkpoints)
                except Exception as error:
                    self._changed |= any(isinstance(each, TopicChanged) for each in leaves(error))
                    progress.interrupted(passing(error))
                if time.monotonic() - began > SETTLED:
                    back_off.begin_anew()
                await asyncio.sleep(back_off.next())
        finally:
            progress.end()
            with suppress(*FAILED):
                await checkpoints.close()

    async def _with_new_producer(self, lease: Lease, checkpoints: Held) -> None:
        producer = Producer(self._settings, self._log.service)
        self._progress.new_producer()
        try:
            filled = await producer.start()
            if self._changed:  # whatever it has by now was written by somebody who did not know
                filled = [0] * len(filled)
            timeout = self._settings.database_timeout
            await agree(self._log, producer.topic, self._progress, lease, checkpoints, timeout)
            self._progress.begin(await begin_after(self._log.service, filled, checkpoints, timeout))
            async with asyncio.TaskGroup() as tasks:
                session = Session(self._log, producer, self._progress, tasks, self._noted)
                # A refill says so before it sends. Had it a crash behind it and the old checkpoint still standing, what
                # late batches of others left on the topic could pass for the rest of it.
                await session.checkpoint(lease, checkpoints)
                tasks.create_task(session.watch.run())
                tasks.create_task(session.checkpoint_moves(lease, checkpoints))
                await session.poll(self._interval)
        finally:
            await producer.stop()

    def _noted(self) -> None:
        """The checkpoints say now how far the topic is, so they can be believed again."""
        self._changed = False
