"""Faults that befall whole parts, one after another: which of them, how often and for how long is the seed's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from shared.kafka.topics import topic_of
from shared.relay.topic_watch import LOOK
from tests.simulation.domain import SERVICE

if TYPE_CHECKING:
    from tests.simulation.broker import Topic
    from tests.simulation.postgres import Database, Tables
    from tests.simulation.world import World


class Harm:
    """Runs until it is cancelled, which is when faults are to stop."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._draw = world.faults.random

    async def run(self) -> None:
        """The faults that befall whole parts, one after another."""
        # A topic that was lost cannot tell any more how far the log had been: only one of the two loses something.
        lose = self._set_back if self._world.may_go_back else self._lose_topic
        kinds = [self._crash, self._pause, self._cut, self._take_broker, lose, self._jump, self._silence]
        weights = [self._draw.choice([0, 1, 1, 2, 4]) for _ in kinds]
        # What befalls topics, and pauses, do no harm at most moments: it takes many of them to find who does not look.
        if self._world.may_go_back:
            weights[kinds.index(lose)] = self._draw.choice([1, 2, 4])
        else:
            weights[kinds.index(lose)] *= self._draw.choice([1, 4, 12])
        weights[kinds.index(self._pause)] *= self._draw.choice([1, 1, 4, 12])
        if not any(weights):
            return
        every = self._draw.choice([0.7, 1.5, 3.0])
        while True:
            await asyncio.sleep(self._draw.expovariate(1 / every))
            await self._draw.choices(kinds, weights)[0]()

    async def last(self) -> None:
        """In some seeds the topic is lost at the very end: nothing comes behind that would show it to anybody."""
        if not self._world.may_go_back and self._draw.random() < 0.5:
            await self._lose_topic_unseen()

    def _fault(self, kind: str, *words: object) -> None:
        self._world.faults.done[kind] += 1
        self._world.trace("FAULT", kind, *words)

    async def _crash(self) -> None:
        instance = self._draw.choice([*self._world.services, *self._world.projections])
        if instance.process is not None and instance.process.alive:
            self._fault("crash", instance.name)
            instance.process.kill()

    async def _pause(self) -> None:
        instance = self._draw.choice([*self._world.services, *self._world.services, *self._world.projections])
        process = instance.process
        if process is not None and process.alive and not process.paused:
            seconds = self._draw.choice([0.5, 3.0, 11.0, 15.0])
            self._fault("pause", instance.name, seconds)
            process.pause()
            self._world.later(seconds, process.go_on, self._world.loop)

    async def _cut(self) -> None:
        database = self._draw.choice([self._world.ledger, self._world.ledger, self._world.projection])
        self._fault("connections cut", database.name)
        if self._draw.random() < 0.4:
            database.away = True
            database.started += 1
            self._world.later(self._draw.choice([0.5, 2.0, 5.0]), setattr, database, "away", False)
            database.cut()
        else:
            database.cut(lambda: self._draw.random() < 0.5)

    async def _set_back(self) -> None:
        """To what it held a while ago, mostly the service's and its log: a restore, or a replica that was behind."""
        ledger, projection = self._world.ledger, self._world.projection
        database = self._draw.choice([ledger, ledger, ledger, projection])
        ago, away = self._draw.choice([0, 1, 2, 5, 10, 60]), self._draw.choice([0.5, 2.0, 5.0])
        twice = self._draw.random() < 0.3
        if twice:  # what is written now is on no topic
            await self._take_broker()
            await asyncio.sleep(3.0)
        as_it_was = database.copy()
        self._restore(database, self._world.backups.of(database, ago), away)
        if twice:
            # A newer backup is found when there has been writing again: it has events where the topic has others now.
            self._world.later(away + self._draw.choice([1.5, 3.0, 8.0]), self._restore, database, as_it_was, 0.5)

    def _restore(self, database: Database, backup: Tables, away: float) -> None:
        if self._world.faults.on:
            self._fault("database went back", database.name, away)
            database.away = True
            database.go_back(backup)
            self._world.later(away, setattr, database, "away", False)

    async def _take_broker(self) -> None:
        if not self._world.broker.away:
            seconds = self._draw.choice([0.5, 3.0, 8.0])
            self._fault("broker away", seconds)
            self._world.broker.away = True
            self._world.later(seconds, setattr, self._world.broker, "away", False)

    async def _lose_topic(self) -> None:
        """Delete it and make it again, in half of the cases while readers have not read what came last."""
        if self._draw.random() < 0.5:
            self._keep_from(self._world.broker.consumers, 4.0)
            await asyncio.sleep(self._draw.choice([0.1, 0.5, 1.5]))
        await self._make_topic_anew(self._draw.choice([0.0, 0.3, 2.0]))

    async def _lose_topic_unseen(self) -> None:
        """Lose it when it will end, filled again, where its readers are or just before, while they sleep.

        They have read repeats, so by then there are events that they have not read.
        """
        world, name = self._world, topic_of(SERVICE)
        if name not in world.broker.topics:
            return
        self._repeat(world.broker.topics[name])
        await asyncio.sleep(0.1)
        for instance in world.projections:
            if instance.process is not None and instance.process.alive and not instance.process.paused:
                self._fault("pause", instance.name)
                instance.process.pause()
        self._keep_from(world.broker.consumers, 12.0)
        read = [len(records) for records in world.broker.topics[name].partitions]
        heads, less = world.ledger.table("log_partition"), self._draw.choice([0, 1])
        for _ in range(30):
            if any(heads[partition] == end - less for partition, end in enumerate(read) if end):
                break
            await asyncio.sleep(0.1)
        world.busy = False
        await self._make_topic_anew(0.0)
        await asyncio.sleep(LOOK + 1.0)

    async def _make_topic_anew(self, later: float) -> None:
        if topic_of(SERVICE) in self._world.broker.topics:
            self._fault("topic lost")
            self._world.broker.delete(topic_of(SERVICE))
            await asyncio.sleep(later)
            await self._world.make_topic()

    def _repeat(self, topic: Topic) -> None:
        """Somebody who led before sends once more what he sent last."""
        broker = self._world.broker
        for partition, records in enumerate(topic.partitions):
            if records and not broker.away:
                self._fault("duplicate", "on the topic", partition)
                last = records[-self._draw.choice([1, 1, 2, 3]) :]
                again = [(record.key, record.value, record.timestamp, record.headers) for record in last]
                broker.append(topic_of(SERVICE), partition, broker.number(), 1, again)

    async def _jump(self) -> None:
        self._world.jump(self._draw.choice([-3600, -30, -3, 3, 30, 3600]))
        self._fault("clock jump", self._world.jumped)

    async def _silence(self) -> None:
        consumers = [consumer for consumer in self._world.broker.consumers if not consumer.closed]
        if consumers:
            self._fault("reader silent")
            self._keep_from([self._draw.choice(consumers)], self._draw.choice([2.0, 8.0, 1e9]))

    def _keep_from(self, consumers: list[Any], seconds: float) -> None:
        for consumer in consumers:
            consumer.silent_until = max(consumer.silent_until, self._world.loop.now + seconds)
