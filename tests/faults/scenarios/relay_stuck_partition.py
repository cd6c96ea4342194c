"""Goal 12: an event that is too large holds up one partition of content's relay; what stands behind it is counted."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.kafka.topics import topic_of
from tests.faults.facts import Town
from tests.faults.newcomers import LATE, Newcomers, told, welcome
from tests.faults.stage import Stage
from tests.faults.system import System

SERVICE, PARTITION = "content", 3
STUCK, BACK = 15.0, 60.0
"""Seconds new threads are opened meanwhile; and until all is relayed once the topic takes more: what the broker found
too large is tried again every half minute.
"""
LARGE = """
with moved as (update log_partition set position = position + 1 where id = $1 returning position)
insert into log (partition, position, stream, version, type, id, community, occurred_at, data)
select $1, position, $2, 1, 'guildhall.content.padded.v1', $3, $4, now(), $5 from moved
"""


async def run(stage: Stage) -> None:
    system = await stage.system()
    town = Town(system.port, system.home, "relay-stuck-partition", kinds=["reply"])
    ports = {name: system.parts.ports[name] for name in ("member", "content", "engagement", "projection")}
    newcomers = Newcomers(town, ports)
    await newcomers.settle(stage)
    await welcome(system, newcomers, BACK)
    await system.caught_up(60)
    stage.say(f"an event of 2 MB in partition {PARTITION} of {SERVICE}")
    connection = await system.connect(SERVICE)
    await connection.execute(LARGE, PARTITION, uuid4(), uuid4(), town.community, b'{"x":"%s"}' % (b"x" * 2_000_000))
    since = time.time()
    await asyncio.gather(newcomers.come(STUCK), newcomers.ask(STUCK))
    left = await connection.fetchval(
        "select sum(p.position - coalesce(c.position, 0))::int from log_partition p"
        " left join relay_checkpoint c on c.partition = p.id where p.id = $1",
        PARTITION,
    )
    await asyncio.sleep(1)
    await newcomers.ask(0.1)
    last = newcomers.said[-1]
    await connection.close()
    await _take_more(system)
    began = time.monotonic()
    took = await system.caught_up(BACK * 2)
    back = time.monotonic() - began
    scale = f"{sum(newcomers.statuses.values())} requests"
    await told(stage, newcomers, scale)
    noticed = newcomers.noticed(since)
    stage.figure(
        12, "an answer shows that a partition stands", f"{noticed:.1f} s", f"≤ {LATE:.0f} s", holds=noticed <= LATE
    )
    measured = f"{last.events} counted, {left} there"
    stage.figure(12, "what stands behind it", measured, "the same", holds=last.events == left and left > 1)
    required = f"≤ {BACK:.0f} s"
    stage.figure(12, "all is relayed once it is taken", f"{took:.1f} s", required, holds=back <= BACK)
    stage.figure(
        12,
        "threads are found again",
        f"{await welcome(system, newcomers, BACK):.1f} s",
        required,
        holds=not newcomers.wrong,
    )


async def _take_more(system: System) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=system.settings().kafka)
    await admin.start()
    config = {"max.message.bytes": "4000000", "retention.ms": "-1"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic_of(SERVICE), configs=config)])
    await admin.close()
