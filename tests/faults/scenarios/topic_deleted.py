"""A topic is deleted under load and made again by hand: relay and readers come together by themselves."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient

from shared.kafka.topics import ensure_topics, topic_of
from tests.faults.stage import Stage
from tests.faults.system import System

RATE = 100.0
TOPICS = ("content", "member", "engagement", "feedback")


async def run(stage: Stage) -> None:
    system = await stage.system()
    times = stage.choose(2, 4)
    async with stage.live(RATE):
        for number in range(times):
            await asyncio.sleep(2)
            stage.say(f"deleting the topic of {TOPICS[number]}")
            await delete(system, TOPICS[number])
            await asyncio.sleep(3)
            await ensure_topics(system.settings(), TOPICS)  # what `guildhall topics` does: the one thing by hand
            await asyncio.sleep(3)
    await stage.settled(2, f"deleting and making {times} topics again")
    await stage.judged(2, "after topics were deleted", f"{times} of 4 topics", rebuilt=True)


async def delete(system: System, service: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=system.settings().kafka)
    await admin.start()
    try:
        await admin.delete_topics([topic_of(service)])
    finally:
        await admin.close()
