"""A producer that cannot be stopped is abandoned: aiokafka's `stop` waits for what will never be sent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from aiokafka.errors import KafkaError

STOPPING = 2.0
"""Seconds a producer gets to stop."""


async def abandon(producer: Any) -> None:
    """Let go of a producer without waiting for what it has not sent: `stop` would, and its sender would try for ever.

    Reaches below aiokafka's surface, because from above a producer that is stuck cannot be ended.
    """
    producer._closed = True  # noqa: SLF001 - else it complains that it was not stopped
    sender = producer._sender.sender_task  # noqa: SLF001
    try:
        for _ in range(2):  # the first asks it to finish the request under way, the second breaks that off
            if sender is not None and not sender.done():
                sender.cancel()
                await asyncio.wait([sender], timeout=STOPPING / 4)
    finally:  # also where whoever lets go is cancelled meanwhile
        with suppress(TimeoutError, KafkaError, OSError):
            async with asyncio.timeout(STOPPING / 2):
                await producer.client.close()
