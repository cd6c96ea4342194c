"""A consumer is started and stopped within deadlines; it commits nothing and never chooses by itself where to read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from shared.cancellation import Stray, only_own_cancellation
from shared.kafka.connection import connection
from shared.kafka.topics import TopicProblem, check_topic, topic_of
from shared.settings import Settings

LONG_POLL = 250
REQUEST = 5_000
SESSION = 10_000
"""Milliseconds: how long the broker holds a question open when nothing is there (a record is answered at once); one
request; the silence after which a group takes a member for gone."""
STOPPING = 2.0
"""Seconds a consumer gets to stop."""


async def start_consumer(settings: Settings, service: str, group: str | None, shared_out: Callable[[], None]) -> Any:
    """A consumer of a service's topic; as a member of a group it calls `shared_out` whenever that is shared out anew.

    For a topic that is missing aiokafka asks without a pause, so that is seen to first. Raises `TopicProblem`, or what
    `topics.BROKER_AWAY` names, within some 20 seconds.
    """
    if await check_topic(settings, service) is None:
        raise TopicProblem(f"Topic {topic_of(service)} does not exist. Run `guildhall topics`.")
    consumer = AIOKafkaConsumer(
        **connection(settings),
        group_id=group,
        auto_offset_reset="none",
        enable_auto_commit=False,
        fetch_max_wait_ms=LONG_POLL,
        request_timeout_ms=REQUEST if group is None else SESSION + REQUEST,
        session_timeout_ms=SESSION,
        metadata_max_age_ms=10_000,
    )
    try:
        if group is not None:
            consumer.subscribe([topic_of(service)], listener=_Shared(shared_out))
        async with asyncio.timeout((SESSION + REQUEST) / 1000):
            await consumer.start()
    except BaseException:
        await stop_consumer(consumer)
        raise
    return consumer


def lookup_consumer(settings: Settings, deadline: float) -> Any:
    """For questions about topics, each within `deadline` seconds: it joins no group and leaves nothing behind."""
    return AIOKafkaConsumer(
        **connection(settings),
        enable_auto_commit=False,
        auto_offset_reset="none",
        request_timeout_ms=int(deadline * 1000),
        fetch_max_wait_ms=100,
    )


async def stop_consumer(consumer: Any) -> None:
    """Stop it within a deadline, also when its broker is dead or its tasks have failed: then its connections remain."""
    try:
        with only_own_cancellation():
            async with asyncio.timeout(STOPPING):
                await consumer.stop()
    except (TimeoutError, KafkaError, OSError, asyncio.InvalidStateError, Stray):
        with suppress(TimeoutError, KafkaError, OSError):
            async with asyncio.timeout(STOPPING / 4):
                await consumer._client.close()  # noqa: SLF001 - `stop` does it last, and did not come to it


class _Shared(ConsumerRebalanceListener):  # type: ignore[misc]
    """Hears when the group is shared out anew; both times, since what is placed in between is placed in vain."""

    def __init__(self, shared_out: Callable[[], None]) -> None:
        self._shared_out = shared_out

    def on_partitions_revoked(self, _: object) -> None:
        self._shared_out()

    on_partitions_assigned = on_partitions_revoked
