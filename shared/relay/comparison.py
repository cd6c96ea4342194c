"""What is compared before a producer sends: the topic with the log, and with how far the checkpoints say it is filled.

The topic is a copy of the log, and so it tells when the log has gone back, by a restore or to a replica that was
behind: then its newest records are not in the log under their ids. Whenever the database has begun anew, no append is
taken until they were compared (`log/agreement.py`); where they differ, none until `guildhall recover` has put back
what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from shared.db import Held
from shared.kafka.topics import TopicProblem
from shared.lease import Lease
from shared.log.agreement import AGREE, DISAGREE
from shared.log.port import Log
from shared.relay.progress import RelayProgress
from shared.relay.topic_end import TopicEnd

CHECKPOINTS = "select partition, position from relay_checkpoint"
THERE = """
select l.partition, l.position, l.id
from unnest($1::smallint[], $2::bigint[]) as asked(partition, position) join log l using (partition, position)
"""

_logger = structlog.get_logger(__name__)


async def agree(
    log: Log, topic: TopicEnd, progress: RelayProgress, lease: Lease, connections: Held, timeout: float
) -> None:
    """See to it that appends are taken while the log has what the topic has, and only then.

    Raises `TopicProblem` where the log has not.
    """
    progress.heads = list(await log.heads())
    agreed = log.agreed
    newest = topic.last if agreed else await topic.newest()
    async with asyncio.timeout(timeout), connections.borrow() as connection:
        positions = [record.position for record in newest.values()]
        rows = await connection.fetch(THERE, list(newest), positions)
        there = {row["partition"]: row["id"] for row in rows}
        missing = sorted(p for p, record in newest.items() if there.get(p) != record.id)
        async with connection.transaction():
            await lease.check(connection)
            if missing or not agreed:
                await connection.execute(DISAGREE if missing else AGREE)
    if missing:
        service = log.service
        raise TopicProblem(
            f"The topic of {service} has events in partitions {missing} that the log has not: the database went "
            "back, by a restore or to a replica that was behind. Nothing is written until they are put back: run "
            f"`guildhall recover {service}`."
        )
    if not agreed:
        _logger.info("log agrees with its topic", service=log.service)


async def begin_after(service: str, filled: Sequence[int], connections: Held, timeout: float) -> list[int]:
    """Where to begin, by partition: the smaller of what the topic has and what the checkpoint says."""
    async with asyncio.timeout(timeout), connections.borrow() as connection:
        rows = await connection.fetch(CHECKPOINTS)
    moved = {row["partition"]: row["position"] for row in rows}
    for partition, position in enumerate(filled):
        if position < moved.get(partition, 0):
            _logger.warning(
                "topic is filled again",
                service=service,
                partition=partition,
                after=position,
                checkpoint=moved[partition],
            )
    return [min(position, moved.get(partition, 0)) for partition, position in enumerate(filled)]
