"""Somebody who reached the broker: records that the log did not write, where they would do the most harm."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from shared.events.envelope import from_wire, to_wire
from shared.events.event import Recorded, encode_data, wire_name
from shared.kafka.heads import Heads
from shared.kafka.topics import heads_topic_of, topic_of
from tests.simulation.broker import Record
from tests.simulation.domain import PARTITIONS, SERVICE, Deposited

if TYPE_CHECKING:
    from tests.simulation.world import World


class Forger:
    """At work in half of the seeds, with chance of its own."""

    def __init__(self, world: World, seed: str) -> None:
        self._world = world
        self._draw = Random(seed)

    async def run(self) -> None:
        every = self._draw.choice([0.0, 0.0, 0.7, 3.0])
        while every:
            await asyncio.sleep(self._draw.expovariate(1 / every))
            if self._world.tells_heads and self._draw.random() < 0.5:
                self._forge_heads()
                continue
            topic = self._world.broker.topics.get(topic_of(SERVICE))
            partition = self._draw.randrange(PARTITIONS)
            if topic is not None and not self._world.broker.away and topic.partitions[partition]:
                self._forge(partition, self._draw.choice(topic.partitions[partition]))

    def _forge(self, partition: int, model: Record) -> None:
        """Like that record: at the position that comes next, without a signature or with a stolen one, or elsewhere."""
        kind = self._draw.choice(["unsigned", "signature stolen", "copied"])
        value = model.value
        if kind == "copied":
            partition = (from_wire(value).partition + 1) % PARTITIONS  # after three copies it would be at home again
        else:
            value = to_wire(self._next(partition, from_wire(model.value)))
        self._world.oracle.forged.add((partition, value))
        self._world.faults.done["forged"] += 1
        self._world.trace("FAULT", "forged", kind, partition)
        headers = () if kind == "unsigned" else model.headers
        self._world.broker.append(
            topic_of(SERVICE), partition, self._world.broker.number(), 1, [(model.key, value, model.timestamp, headers)]
        )

    def _forge_heads(self) -> None:
        """Heads that say there is nothing, so that every view seems complete."""
        topic = heads_topic_of(SERVICE)
        if topic in self._world.broker.topics and not self._world.broker.away:
            value = msgspec.json.encode(Heads(self._world.now(), (0,) * PARTITIONS))
            self._world.faults.done["forged"] += 1
            self._world.trace("FAULT", "forged", "heads")
            self._world.broker.append(topic, 0, self._world.broker.number(), 1, [(b"", value, 0, ())])

    def _next(self, partition: int, model: Recorded) -> Recorded:
        head: int = self._world.ledger.table("log_partition")[partition]
        made = UUID(int=self._draw.getrandbits(128))
        return msgspec.structs.replace(
            model,
            position=head + 1,
            id=made,
            type=wire_name(Deposited),
            data=encode_data(Deposited(fact=made, member=made, amount=5)),
        )
